#include "host/stable_plugin.h"

#include "base/log.h"
#include "host/c_objects.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace nearfar {
namespace {

void parallel(std::int64_t begin, std::int64_t end, std::int64_t grain, void (*body)(std::int64_t, std::int64_t, void*),
              void* context) {
  at::parallel_for(begin, end, std::max<std::int64_t>(grain, 1),
                   [&](std::int64_t from, std::int64_t to) { body(from, to, context); });
}

}  // namespace

const nearfar_host& c_host() {
  static const nearfar_host host{
      .struct_size = sizeof(nearfar_host),
      .abi = NEARFAR_ABI,
      .version = NEARFAR_VERSION,
      .parallel_for = parallel,
      .threads = [] { return static_cast<std::int32_t>(at::get_num_threads()); },
      .log = [](const char* text) { log_info(text == nullptr ? "" : text); },
  };
  return host;
}

nearfar_plugin whole_descriptor(const nearfar_plugin& given) {
  nearfar_plugin whole{};
  std::memcpy(&whole, &given, std::min<std::size_t>(given.struct_size, sizeof whole));
  return whole;
}

// Rows of the two tables are the same bytes (nearfar/stable/bridge.h checks it for plugins).
static_assert(sizeof(Param) == sizeof(nearfar_param) && offsetof(Param, type) == offsetof(nearfar_param, type) &&
              offsetof(Param, default_number) == offsetof(nearfar_param, default_number) &&
              offsetof(Param, help) == offsetof(nearfar_param, help));

PluginText plugin_text(const nearfar_plugin& plugin) {
  const auto text = [](const char* value) { return value == nullptr ? "" : value; };
  PluginText result{.name = text(plugin.name),
                    .version = text(plugin.version),
                    .summary = text(plugin.summary),
                    .reference = text(plugin.reference),
                    .needs = plugin.needs,
                    .params = {},
                    .sweep = text(plugin.sweep),
                    .tuned = (plugin.flags & NEARFAR_TUNED) != 0,
                    .observed_params = text(plugin.observed_params),
                    .observes_fitted = (plugin.flags & NEARFAR_OBSERVES_FITTED) != 0};
  result.params.rows = reinterpret_cast<const Param*>(plugin.params);
  result.params.size = plugin.param_count;
  return result;
}

std::string descriptor_fault(const nearfar_plugin& plugin) {
  const bool observes = (plugin.needs & (NEARFAR_NEEDS_MAP_STATISTICS | NEARFAR_NEEDS_INPUT_GRADIENTS)) != 0;
  const auto missing = [](const char* function) { return fmt::format("has no function '{}'", function); };
  if (plugin.create == nullptr) return missing("create");
  if (plugin.destroy == nullptr) return missing("destroy");
  if (plugin.kind == NEARFAR_POSTPROCESSOR_KIND) {
    if (plugin.score == nullptr) return missing("score");
    if (observes && plugin.observe == nullptr) return missing("observe") + ", though it looks inside the network";
    if (observes && (plugin.flags & NEARFAR_TORCH) == 0) return "looks inside the network without NEARFAR_TORCH";
    return "";
  }
  if (plugin.traits == nullptr) return missing("traits");
  return plugin.loss == nullptr ? missing("loss") : "";
}

Postprocessor* make_c_postprocessor(const nearfar_plugin& plugin, const Params& params) {
  return new CPostprocessor(plugin, params);
}

Loss* make_c_loss(const nearfar_plugin& plugin, const Params& params) { return new CLoss(plugin, params); }

LossTraits c_loss_traits(const nearfar_plugin& plugin, const Params& params) {
  const CValues values(plugin, params);
  const LossTraits defaults;
  nearfar_traits traits{.struct_size = sizeof traits,
                        .views = defaults.views,
                        .embedding = 0,
                        .normalized_embedding = 0,
                        .wants_features = 0,
                        .takes_soft_targets = 0,
                        .wants_auxiliary = 0,
                        .wants_class_means = 0,
                        .feature_temperature = defaults.feature_temperature,
                        .evaluated_temperature = defaults.evaluated_temperature,
                        .capturable = 0,
                        .reserved = 0};
  CCall call;
  call.check(plugin.traits(values.data(), values.size(), &traits, call.error()));
  LossTraits result;
  result.views = traits.views;
  result.head = traits.embedding != 0 ? HeadKind::embedding : HeadKind::linear;
  result.normalized_embedding = traits.normalized_embedding != 0;
  result.wants_features = traits.wants_features != 0;
  result.takes_soft_targets = traits.takes_soft_targets != 0;
  result.wants_auxiliary = traits.wants_auxiliary != 0;
  result.wants_class_means = traits.wants_class_means != 0;
  result.feature_temperature = traits.feature_temperature;
  result.evaluated_temperature = traits.evaluated_temperature;
  // Its memory is the CPU's: a step that copies to it cannot be recorded.
  result.capturable = traits.capturable != 0 && (plugin.flags & NEARFAR_TORCH) != 0;
  return result;
}

}  // namespace nearfar
