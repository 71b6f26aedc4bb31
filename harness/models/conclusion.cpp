#include "models/conclusion.h"

#include "base/text.h"
#include "models/families.h"
#include "models/known_networks.h"
#include "models/wrappers.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace nearfar {
namespace {

/// Below this a "nearest" network would mislead.
constexpr double kNear = 0.25;
constexpr std::size_t kShown = 5;

std::string some_names(const std::vector<std::string>& names) {
  const std::span<const std::string> shown = std::span(names).first(std::min(kShown, names.size()));
  return join(shown, ", ") + (names.size() > kShown ? ", …" : "");
}

/// "It is torchvision's efficientnet_b0", by whatever prefix its names have.
std::string looks_like(const std::vector<NamedTensor>& tensors) {
  for (const NamesView& view : names_views(tensors)) {
    const std::string without = view.prefix.empty() ? "" : fmt::format(" (names without '{}')", printable(view.prefix));
    if (const auto name = recognise(view.tensors))
      return fmt::format("This is {}{}, which nearfar does not have. ", *name, without);
    if (const std::string family = family_text(view.tensors); !family.empty())
      return fmt::format("This looks like {}{}. ", family, without);
  }
  return "";
}

/// Names with a common first part that fit by themselves, where something else lies beside them.
std::string part_that_fits(const std::vector<NamedTensor>& tensors, const std::vector<Mapping>& mappings,
                           const FitOptions& options) {
  constexpr std::size_t kLeast = 10;  // tensors: a classifier alone is no network
  std::map<std::string, std::vector<NamedTensor>> parts;
  for (const NamedTensor& one : tensors) {
    const std::size_t dot = one.name.find('.');
    if (dot != std::string::npos)
      parts[one.name.substr(0, dot + 1)].push_back({one.name.substr(dot + 1), one.tensor, false});
  }
  std::string text;
  for (const auto& [prefix, part] : parts) {
    if (part.size() < kLeast || part.size() == tensors.size()) continue;
    const std::optional<Fit> fit = best_fit(mappings, part, options);
    if (!fit || !fit->exact()) continue;
    std::vector<std::string> beside;
    for (const NamedTensor& one : tensors) {
      if (!one.name.starts_with(prefix)) beside.push_back(printable(one.name));
    }
    text += fmt::format(
        "What is under '{0}' is a {1} exactly; beside it are {2} other tensors ({3}). If these do not change what the "
        "network computes, keep the former alone: torch.save({{k[{4}:]: v for k, v in sd.items() if "
        "k.startswith('{0}')}}, NEW). ",
        printable(prefix), fit->spec.architecture, beside.size(), some_names(beside), prefix.size());
  }
  return text;
}

bool is_head(const std::string& name) { return name.starts_with("head."); }

/// "" unless everything but the head is there.
std::string headless_text(const Fit& best) {
  const Mismatch& mismatch = best.mismatch;
  const bool headless = mismatch.unexpected.empty() && mismatch.wrong.empty() &&
                        std::all_of(mismatch.missing.begin(), mismatch.missing.end(), is_head);
  if (!headless) return "";
  return fmt::format(
      "This is the backbone of {} without a classifier or projection head (by the mapping {}). Save it with its head, "
      "or "
      "run it yourself and give what it computes as model.features. ",
      best.spec.architecture, best.mapping->name);
}

std::string nearest_text(const Fit& best, const std::vector<NamedTensor>& tensors) {
  if (best.similarity() >= kNear) {
    return fmt::format(
        "The nearest is {} by the mapping {}{}: {} (names as nearfar has them; `missing` and `wrong shape`, and "
        "`unexpected` where a rule renamed them). ",
        best.spec.architecture, best.mapping->name,
        best.prefix.empty() ? "" : fmt::format(", without '{}'", printable(best.prefix)), best.mismatch.text());
  }
  std::vector<std::string> shown;
  for (const NamedTensor& one : tensors) {
    if (shown.size() <= kShown) shown.push_back(fmt::format("{} {}", printable(one.name), shape_text(one.tensor)));
  }
  return fmt::format("None is near: {} tensors, {}. ", tensors.size(), some_names(shown));
}

}  // namespace

std::string conclusion(const std::vector<NamedTensor>& tensors, const Fit& best, const std::vector<Mapping>& mappings,
                       const FitOptions& options) {
  std::string text = headless_text(best);
  if (text.empty()) text = part_that_fits(tensors, mappings, options);
  if (text.empty()) {
    text = looks_like(tensors);
    // Where the whole network is known, what it lacks of another is of no use.
    if (!text.starts_with("This is")) text += nearest_text(best, tensors);
  }
  return fmt::format(
      "{}A network that is not known can be exported with its program and given as model.file (.pt2; docs/models.md). "
      "Known: {}",
      text, join(architectures(), ", "));
}

}  // namespace nearfar
