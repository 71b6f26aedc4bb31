#pragma once
/// The one header a plugin includes: descriptor, entry point and the macros that make them.
///
///   class Energy final : public nearfar::Postprocessor { public: explicit Energy(const nearfar::Params& p); … };
///   NEARFAR_POSTPROCESSOR(Energy, .name = "ebo", .version = "1.0.0", .summary = "free energy of the logits",
///                         .reference = "arXiv:2010.03759", .needs = nearfar::kLogits, .params = kParams)
///
/// The entry point is the only symbol a plugin exports. What it creates, it destroys. Libraries are never unloaded.
#include <nearfar/loss.h>
#include <nearfar/postprocessor.h>

#include <cstddef>

namespace nearfar {

enum class PluginKind : std::uint32_t { postprocessor = 1, loss = 2 };

/// A plugin's parameter table, borrowed from static storage.
struct ParamTable {
  const Param* rows = nullptr;
  std::size_t size = 0;
  constexpr ParamTable() = default;
  template <std::size_t N>
  constexpr ParamTable(const Param (&table)[N])
      : rows(table), size(N) {}  // NOLINT: implicit by design, `.params = kParams`
};

/// What the author writes in the macro.
struct PluginText {
  const char* name = "";       ///< kebab-case key, "temp-scaling"
  const char* version = "";    ///< semantic version of the method's results
  const char* summary = "";    ///< one line
  const char* reference = "";  ///< paper: "arXiv:2010.03759"
  Needs needs = 0;
  ParamTable params = {};
  const char* sweep =
      "";  ///< values that `tune` searches by default: "k=50,100;alpha=0.1,1"; the first parameter varies fastest
  bool tuned = false;  ///< the method's reference searches `sweep` by default (OpenOOD: APS_mode)
  const char* observed_params =
      "";  ///< parameters that observe() depends on: "temperature,noise"; the others can be searched without a pass
  bool observes_fitted = false;  ///< observe_fitted() is not observe(): scored images are looked at after fit()
};

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

}  // namespace nearfar

extern "C" NEARFAR_EXPORT const nearfar::NearfarPluginInfo* nearfar_plugin_info();

#define NEARFAR_POSTPROCESSOR(Class, ...)                                                           \
  extern "C" const nearfar::NearfarPluginInfo* nearfar_plugin_info() {                              \
    static constexpr nearfar::NearfarPluginInfo info{                                               \
        "nearfar",                                                                                  \
        NEARFAR_API_VERSION,                                                                        \
        sizeof(nearfar::NearfarPluginInfo),                                                         \
        nearfar::kBuildTag,                                                                         \
        nearfar::PluginKind::postprocessor,                                                         \
        nearfar::PluginText{__VA_ARGS__},                                                           \
        NEARFAR_SOURCE_HASH,                                                                        \
        [](const nearfar::Params& params) -> nearfar::Postprocessor* { return new Class(params); }, \
        [](nearfar::Postprocessor* made) noexcept { delete made; },                                 \
        nullptr,                                                                                    \
        nullptr,                                                                                    \
        nullptr};                                                                                   \
    return &info;                                                                                   \
  }

#define NEARFAR_LOSS(Class, ...)                                                           \
  extern "C" const nearfar::NearfarPluginInfo* nearfar_plugin_info() {                     \
    static constexpr nearfar::NearfarPluginInfo info{                                      \
        "nearfar",                                                                         \
        NEARFAR_API_VERSION,                                                               \
        sizeof(nearfar::NearfarPluginInfo),                                                \
        nearfar::kBuildTag,                                                                \
        nearfar::PluginKind::loss,                                                         \
        nearfar::PluginText{__VA_ARGS__},                                                  \
        NEARFAR_SOURCE_HASH,                                                               \
        nullptr,                                                                           \
        nullptr,                                                                           \
        [](const nearfar::Params& params) -> nearfar::Loss* { return new Class(params); }, \
        [](nearfar::Loss* made) noexcept { delete made; },                                 \
        [](const nearfar::Params& params) { return Class::traits(params); }};              \
    return &info;                                                                          \
  }
