#include "engine/tuning.h"

#include "base/error.h"
#include "base/text.h"
#include "engine/messages.h"
#include "engine/scoring.h"
#include "metrics/ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace nearfar {
namespace {

double validation_auroc(const PostprocessorHandle& postprocessor, const FeatureFolder& folder, at::Device device,
                        const Columns& columns) {
  const at::Tensor id = score_set(postprocessor, folder, "val", device, columns);
  const at::Tensor ood = score_set(postprocessor, folder, "ood_val", device, columns);
  const auto of = [&]<class T>(T) {
    const auto view = [](const at::Tensor& scores) {
      return std::span<const T>(scores.const_data_ptr<T>(), static_cast<std::size_t>(scores.numel()));
    };
    return auroc(view(id), view(ood));
  };
  return id.scalar_type() == at::kDouble ? of(double{}) : of(float{});
}

/// For a message: a list of points is long.
std::string searched_text(const ParamGrid& grid) {
  if (!grid.zipped) return "the grid " + grid_text(grid);
  std::vector<std::string> names;
  for (const ParamGrid::Axis& axis : grid.axes) names.push_back(axis.name);
  return fmt::format("the {} drawn points of {}", grid.size(), join(names, ", "));
}

}  // namespace

SearchResult tune(const LoadedPlugin& plugin, const ParamMap& fixed, const ParamGrid& grid, const FeatureFolder& folder,
                  at::Device device, const PointColumns& columns) {
  SearchResult result;
  double best = 0;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between points of a parameter search");
    SearchPoint point{grid.point(i), 0, ""};
    ParamMap params = fixed;
    params.insert(point.params.begin(), point.params.end());
    const std::string where = fmt::format("{} at {}", plugin.label(), canonical_params(point.params));
    PostprocessorHandle postprocessor(plugin, params, where);
    const Columns own = columns ? columns(postprocessor.params().values()) : Columns{};
    try {
      fit(postprocessor, folder, device, own);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::config) throw;
      point.refused = error.what();
    }
    if (point.refused.empty()) {
      try {
        point.auroc = validation_auroc(postprocessor, folder, device, own);
      } catch (const Error& error) {
        throw Error(error.kind(), fmt::format("parameter search of {}: {}", where, error.what()));
      }
      if (point.auroc > best) {
        best = point.auroc;
        result.chosen = point.params;
      }
    }
    result.trace.push_back(std::move(point));
  }
  if (best == 0) {
    const std::string& why = result.trace.front().refused;
    throw Error(ErrorKind::config,
                fmt::format("{}: no point of {} can be chosen: {}", plugin.label(), searched_text(grid),
                            why.empty() ? "every AUROC on the validation sets is 0" : why));
  }
  const auto tied = [&](const SearchPoint& point) { return point.refused.empty() && point.auroc == best; };
  result.ties = static_cast<std::size_t>(std::count_if(result.trace.begin(), result.trace.end(), tied)) - 1;
  return result;
}

}  // namespace nearfar
