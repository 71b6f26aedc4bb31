#pragma once
/// The macros of <nearfar/plugin.h> in the stable tier: the C descriptor of <nearfar/c.h> and the note.
#include <nearfar/note.h>
#include <nearfar/stable/bridge.h>

namespace nearfar::stable {

/// The oldest LibTorch that a plugin of this tier is built for: TORCH_TARGET_VERSION of nearfar_add_plugin().
inline constexpr const char* kOldestTorch = "2.11";
static_assert(TORCH_FEATURE_VERSION == 0x020b000000000000ULL);

/// The note of tier stable.
constexpr void write_note(NoteWriter& note, PluginKind kind, const PluginText& plugin, std::string_view source) {
  write_note_begin(note, "stable", kind, plugin);
  note.number("abi", NEARFAR_ABI);
  note.text("torch", kOldestTorch);
  note.text("cxx_abi", kBuildTag.cxx_abi);
  note.text("compiler", kBuildTag.compiler);
  note.text("standard", kBuildTag.standard);
  write_note_end(note, plugin, source);
}

}  // namespace nearfar::stable

#define NEARFAR_STABLE_PLUGIN_(Class, kind, ...)                                                               \
  namespace {                                                                                                  \
  constexpr nearfar::PluginText nearfar_plugin_text{__VA_ARGS__};                                              \
  NEARFAR_NOTE_SECTION constexpr auto nearfar_plugin_note = nearfar::make_note<[](nearfar::NoteWriter& note) { \
    nearfar::stable::write_note(note, kind, nearfar_plugin_text, NEARFAR_SOURCE_HASH);                         \
  }>();                                                                                                        \
  }                                                                                                            \
  extern "C" NEARFAR_C_EXPORT const nearfar_plugin* nearfar_plugin_v1(const nearfar_host* host) {              \
    return nearfar::stable::offer<Class>(nearfar_plugin_text, NEARFAR_SOURCE_HASH, host);                      \
  }
#define NEARFAR_POSTPROCESSOR(Class, ...) \
  NEARFAR_CHECK_POSTPROCESSOR_            \
  NEARFAR_STABLE_PLUGIN_(Class, nearfar::PluginKind::postprocessor, __VA_ARGS__)
#define NEARFAR_LOSS(Class, ...) \
  NEARFAR_CHECK_LOSS_            \
  NEARFAR_STABLE_PLUGIN_(Class, nearfar::PluginKind::loss, __VA_ARGS__)
