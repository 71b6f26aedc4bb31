#pragma once
/// The one header a plugin includes: descriptor, entry point and the macros that make them. nearfar_add_plugin(… TIER
/// stable) compiles the same source against LibTorch's stable ABI (nearfar/stable/plugin.h): one binary for many
/// LibTorch versions.
///
///   class Energy final : public nearfar::Postprocessor { public: explicit Energy(const nearfar::Params& p); … };
///   NEARFAR_POSTPROCESSOR(Energy, .name = "ebo", .version = "1.0.0", .summary = "free energy of the logits",
///                         .reference = "arXiv:2010.03759", .needs = nearfar::kLogits, .params = kParams)
///
/// The entry point is the only symbol a plugin exports; its note (nearfar/note.h) says the same without being run. What
/// it creates, it destroys. Libraries are never unloaded.
#include <nearfar/loss.h>
#include <nearfar/note.h>
#include <nearfar/postprocessor.h>

#include <cstdint>
#include <string_view>

// KIND of nearfar_add_plugin(), where it is given.
#ifdef NEARFAR_KIND_loss
#define NEARFAR_CHECK_POSTPROCESSOR_ static_assert(false, "KIND loss in CMakeLists.txt, NEARFAR_POSTPROCESSOR here");
#else
#define NEARFAR_CHECK_POSTPROCESSOR_
#endif
#ifdef NEARFAR_KIND_postprocessor
#define NEARFAR_CHECK_LOSS_ static_assert(false, "KIND postprocessor in CMakeLists.txt, NEARFAR_LOSS here");
#else
#define NEARFAR_CHECK_LOSS_
#endif

#ifdef NEARFAR_STABLE
#include <nearfar/stable/plugin.h>
#else

namespace nearfar {

/// The descriptor. Read in this order: `magic` and `api` first, then `tag`, and only then the rest. Fields are only
/// ever appended.
struct NearfarPluginInfo {
  char magic[8];       ///< "nearfar\0"
  std::uint32_t api;   ///< NEARFAR_API_VERSION of the plugin
  std::uint32_t size;  ///< sizeof(NearfarPluginInfo) of the plugin
  BuildTag tag;
  PluginKind kind;
  PluginText text;
  const char* source_hash;  ///< of the plugin's sources and the SDK headers; by nearfar_add_plugin()
  Postprocessor* (*create_postprocessor)(const Params&);
  void (*destroy_postprocessor)(Postprocessor*) noexcept;
  Loss* (*create_loss)(const Params&);
  void (*destroy_loss)(Loss*) noexcept;
  LossTraits (*loss_traits)(const Params&);
};

/// The note of tier exact.
constexpr void write_exact_note(NoteWriter& note, PluginKind kind, const PluginText& plugin, std::uint32_t api,
                                const BuildTag& tag, std::string_view source) {
  write_note_begin(note, "exact", kind, plugin);
  note.number("api", api);
  note.text("torch", tag.torch);
  note.text("cxx_abi", tag.cxx_abi);
  note.text("compiler", tag.compiler);
  note.text("standard", tag.standard);
  note.text("sdk", tag.sdk);
  write_note_end(note, plugin, source);
}

}  // namespace nearfar

extern "C" NEARFAR_EXPORT const nearfar::NearfarPluginInfo* nearfar_plugin_info();

// The author's text and the note made of it.
#define NEARFAR_EXACT_NOTE_(kind, ...)                                                                         \
  namespace {                                                                                                  \
  constexpr nearfar::PluginText nearfar_plugin_text{__VA_ARGS__};                                              \
  NEARFAR_NOTE_SECTION constexpr auto nearfar_plugin_note = nearfar::make_note<[](nearfar::NoteWriter& note) { \
    nearfar::write_exact_note(note, kind, nearfar_plugin_text, NEARFAR_API_VERSION, nearfar::kBuildTag,        \
                              NEARFAR_SOURCE_HASH);                                                            \
  }>();                                                                                                        \
  }

#define NEARFAR_POSTPROCESSOR(Class, ...)                                                           \
  NEARFAR_CHECK_POSTPROCESSOR_                                                                      \
  NEARFAR_EXACT_NOTE_(nearfar::PluginKind::postprocessor, __VA_ARGS__)                              \
  extern "C" const nearfar::NearfarPluginInfo* nearfar_plugin_info() {                              \
    static constexpr nearfar::NearfarPluginInfo info{                                               \
        "nearfar",                                                                                  \
        NEARFAR_API_VERSION,                                                                        \
        sizeof(nearfar::NearfarPluginInfo),                                                         \
        nearfar::kBuildTag,                                                                         \
        nearfar::PluginKind::postprocessor,                                                         \
        nearfar_plugin_text,                                                                        \
        NEARFAR_SOURCE_HASH,                                                                        \
        [](const nearfar::Params& params) -> nearfar::Postprocessor* { return new Class(params); }, \
        [](nearfar::Postprocessor* made) noexcept { delete made; },                                 \
        nullptr,                                                                                    \
        nullptr,                                                                                    \
        nullptr};                                                                                   \
    return &info;                                                                                   \
  }

#define NEARFAR_LOSS(Class, ...)                                                           \
  NEARFAR_CHECK_LOSS_                                                                      \
  NEARFAR_EXACT_NOTE_(nearfar::PluginKind::loss, __VA_ARGS__)                              \
  extern "C" const nearfar::NearfarPluginInfo* nearfar_plugin_info() {                     \
    static constexpr nearfar::NearfarPluginInfo info{                                      \
        "nearfar",                                                                         \
        NEARFAR_API_VERSION,                                                               \
        sizeof(nearfar::NearfarPluginInfo),                                                \
        nearfar::kBuildTag,                                                                \
        nearfar::PluginKind::loss,                                                         \
        nearfar_plugin_text,                                                               \
        NEARFAR_SOURCE_HASH,                                                               \
        nullptr,                                                                           \
        nullptr,                                                                           \
        [](const nearfar::Params& params) -> nearfar::Loss* { return new Class(params); }, \
        [](nearfar::Loss* made) noexcept { delete made; },                                 \
        [](const nearfar::Params& params) { return Class::traits(params); }};              \
    return &info;                                                                          \
  }

#endif
