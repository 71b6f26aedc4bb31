#include "models/wrappers.h"

#include "models/mapping.h"

#include <algorithm>
#include <optional>

namespace nearfar {
namespace {

constexpr std::size_t kMostPrefixes = 8;
constexpr const char* kPrefixes[] = {"module.", "_orig_mod.", "model.", "net.", "network."};

/// Of AveragedModel, and of losses and metrics that Lightning modules hold. Nothing here can change what a network
/// computes: a normalisation of the images, say, is not on the list.
const std::vector<std::string>& tools_own() {
  static const std::vector<std::string> names{"n_averaged",      "criterion.*", "loss.*",      "loss_fn.*",
                                              "loss_function.*", "*_metric.*",  "*_metrics.*", "metrics.*",
                                              "*_accuracy.*",    "*_acc.*"};
  return names;
}

bool may_come_off(const std::string& prefix, const std::vector<NamedTensor>& tensors) {
  const auto has = [&](const NamedTensor& one) { return one.name.starts_with(prefix); };
  return std::any_of(tensors.begin(), tensors.end(), has) &&
         std::all_of(tensors.begin(), tensors.end(),
                     [&](const NamedTensor& one) { return has(one) || matches_any(tools_own(), one.name); });
}

std::optional<std::string> next_prefix(const std::vector<NamedTensor>& tensors) {
  for (const std::string prefix : kPrefixes) {
    if (may_come_off(prefix, tensors)) return prefix;
  }
  // A name that no tool is known for, but every tensor has: nothing is lost without it.
  const std::string& first = tensors.front().name;
  const std::size_t dot = first.find('.');
  if (dot == std::string::npos) return std::nullopt;
  const std::string shared = first.substr(0, dot + 1);
  const bool all =
      std::all_of(tensors.begin(), tensors.end(), [&](const NamedTensor& one) { return one.name.starts_with(shared); });
  return all ? std::optional(shared) : std::nullopt;
}

}  // namespace

std::vector<NamesView> names_views(const std::vector<NamedTensor>& tensors) {
  std::vector<NamesView> views{{"", tensors, {}}};
  while (views.size() <= kMostPrefixes && !views.back().tensors.empty()) {
    const NamesView& before = views.back();
    const std::optional<std::string> prefix = next_prefix(before.tensors);
    if (!prefix) break;
    NamesView view{before.prefix + *prefix, {}, before.left_out};
    for (const NamedTensor& one : before.tensors) {
      if (one.name.starts_with(*prefix)) {
        view.tensors.push_back({one.name.substr(prefix->size()), one.tensor, false});
      } else {
        view.left_out.push_back(before.prefix + one.name);
      }
    }
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace nearfar
