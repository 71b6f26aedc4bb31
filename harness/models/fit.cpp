#include "models/fit.h"

#include "models/wrappers.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace nearfar {
namespace {

/// What all attempts with one mapping on one view have in common.
struct Renamed {
  std::vector<NamedTensor> tensors = {};
  std::vector<std::string> ignored = {}, unexpected = {};
};

/// The view without prefixes of the mapping's own.
NamesView stripped(NamesView view, const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes) {
    if (prefix.empty() || !std::all_of(view.tensors.begin(), view.tensors.end(),
                                       [&](const NamedTensor& one) { return one.name.starts_with(prefix); }))
      continue;
    view.prefix += prefix;
    for (NamedTensor& one : view.tensors) one.name.erase(0, prefix.size());
  }
  return view;
}

Renamed apply(const Mapping& mapping, const NamesView& whole) {
  const NamesView view = stripped(whole, mapping.strip);
  Renamed result{.tensors = {}, .ignored = view.left_out, .unexpected = {}};
  std::set<std::string> taken;
  for (const NamedTensor& one : view.tensors) {
    if (matches_any(mapping.ignore, one.name)) {
      result.ignored.push_back(view.prefix + one.name);
      continue;
    }
    const std::optional<std::string> ours = renamed(mapping, one.name);
    if (!ours || !taken.insert(*ours).second) {
      result.unexpected.push_back(printable(view.prefix + one.name));
    } else {
      result.tensors.push_back({*ours, one.tensor, false});
    }
  }
  return result;
}

/// Rows of the head's last layer: classes, or the width of the embedding. An absent head counts as one row and shows up
/// as missing.
NetworkSpec find_head(const Mapping& mapping, const std::vector<NamedTensor>& tensors) {
  NetworkSpec spec;
  const Mapping::Head* chosen = &mapping.head.front();
  std::int64_t rows = 1;
  for (const Mapping::Head& head : mapping.head) {
    const auto found =
        std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& one) { return one.name == head.tensor; });
    if (found == tensors.end()) continue;
    chosen = &head;
    constexpr std::int64_t kMost = 1 << 20;
    if (found->tensor.dim() > 0) rows = std::clamp<std::int64_t>(found->tensor.size(0), 1, kMost);
    break;
  }
  if (chosen->kind == "linear") {
    spec.head = HeadKind::linear;
    spec.classes = rows;
  } else {
    spec.head = HeadKind::embedding;
    spec.classes = 0;
    spec.projection = chosen->projection;
    spec.embedding_dim = rows;
  }
  return spec;
}

/// Only counters may be absent: they start at 0.
bool may_lack(const Mapping& mapping, const NamedTensor& named) {
  return named.tensor.dim() == 0 && matches_any(mapping.optional, named.name);
}

/// Shapes of networks, each made once.
class Shapes {
 public:
  const std::vector<NamedTensor>& of(const NetworkSpec& spec) {
    const std::string key = fmt::format("{} {} {} {} {}", spec.architecture, static_cast<int>(spec.head), spec.classes,
                                        spec.projection, spec.embedding_dim);
    const auto [at, added] = made_.try_emplace(key);
    if (added) at->second = make_shape_network(spec)->named_tensors();
    return at->second;
  }

 private:
  std::map<std::string, std::vector<NamedTensor>> made_;
};

/// How one architecture fits. The tensors are filled in for the best alone.
Fit try_one(const Mapping& mapping, const Renamed& renamed, const NetworkSpec& spec,
            const std::vector<NamedTensor>& expected) {
  Fit fit{.mapping = &mapping, .spec = spec};
  fit.mismatch = compare_tensors(expected, renamed.tensors, Types::convertible);
  const std::set<std::string> missing(fit.mismatch.missing.begin(), fit.mismatch.missing.end());
  fit.matched = expected.size() - missing.size() - fit.mismatch.wrong.size();
  fit.mismatch.missing.clear();
  for (const NamedTensor& named : expected) {
    if (missing.contains(named.name) && !may_lack(mapping, named)) fit.mismatch.missing.push_back(named.name);
  }
  fit.mismatch.unexpected.insert(fit.mismatch.unexpected.end(), renamed.unexpected.begin(), renamed.unexpected.end());
  return fit;
}

bool better(const Fit& a, const Fit& b) {
  if (a.exact() != b.exact()) return a.exact();
  if (a.exact()) return a.native_size && !b.native_size;
  return a.similarity() > b.similarity();
}

}  // namespace

double Fit::similarity() const {
  return static_cast<double>(matched) / static_cast<double>(std::max<std::size_t>(matched + mismatch.count(), 1));
}

std::optional<Fit> best_fit(const std::vector<Mapping>& mappings, const std::vector<NamedTensor>& tensors,
                            const FitOptions& options) {
  std::optional<Fit> best;
  Shapes shapes;
  for (const NamesView& view : names_views(tensors)) {
    for (const Mapping& mapping : mappings) {
      const Renamed renamed = apply(mapping, view);
      NetworkSpec spec = find_head(mapping, renamed.tensors);
      spec.in_channels = options.in_channels;
      for (const std::string& architecture : mapping.architectures) {
        if (!options.architecture.empty() && architecture != options.architecture) continue;
        spec.architecture = architecture;
        // Shapes of weights do not depend on the size of images; the wanted one is checked at the end.
        const std::int64_t native = spec.height = spec.width = native_image_size(architecture);
        Fit fit = try_one(mapping, renamed, spec, shapes.of(spec));
        fit.native_size = options.height == native && options.width == native;
        if (best && !better(fit, *best)) continue;
        fit.prefix = view.prefix;
        fit.tensors = renamed.tensors;
        fit.ignored = renamed.ignored;
        best = std::move(fit);
      }
    }
  }
  return best;
}

std::vector<NamedTensor> fitted_tensors(const Fit& fit) {
  std::map<std::string_view, at::Tensor> by_name;
  for (const NamedTensor& named : fit.tensors) by_name[named.name] = named.tensor;
  std::vector<NamedTensor> sorted = make_shape_network(fit.spec)->named_tensors();
  for (NamedTensor& named : sorted) {
    const at::ScalarType type = named.tensor.scalar_type();
    const auto found = by_name.find(named.name);
    named.tensor = found != by_name.end() ? found->second.to(type) : at::scalar_tensor(0, at::TensorOptions(type));
  }
  return sorted;
}

}  // namespace nearfar
