#include "work/evaluate.h"

#include "base/error.h"
#include "base/npy.h"
#include "metrics/ranking.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {
std::string group_of(const std::string& set) { return set.substr(0, set.find('/')); }

template <class T>
std::vector<T> read_scores(const ScoreFile& scores) {
  const NpyArray array(scores.file);
  const auto values = array.values<T>(1);
  return {values.begin(), values.end()};
}

template <class T>
std::vector<MetricRow> rows_of(const std::vector<ScoreFile>& scores, const std::vector<wire::Protocol>& protocols) {
  std::vector<MetricRow> rows;
  for (const wire::Protocol& protocol : protocols) {
    std::vector<T> id;
    for (const ScoreFile& set : scores) {
      if (set.name != "test" && std::find(protocol.csid.begin(), protocol.csid.end(), set.name) == protocol.csid.end())
        continue;
      const std::vector<T> values = read_scores<T>(set);
      id.insert(id.end(), values.begin(), values.end());
    }
    try {
      const SortedScores<T> sorted_id(id, Side::id);
      for (const ScoreFile& set : scores) {
        const std::string group = group_of(set.name);
        if (group != "near" && group != "far" && group != "control") continue;
        const OodMetrics metrics = ood_metrics(sorted_id, std::span<const T>(read_scores<T>(set)));
        const std::string dataset = set.name.substr(group.size() + 1);
        for (const auto& [metric, value] : {std::pair<const char*, double>{"auroc", metrics.auroc},
                                            {"fpr95", metrics.fpr95},
                                            {"aupr_in", metrics.aupr_in},
                                            {"aupr_out", metrics.aupr_out}}) {
          rows.push_back(
              {.protocol = protocol.name, .group = group, .dataset = dataset, .metric = metric, .value = value});
        }
      }
    } catch (const Error& error) {
      throw Error(error.kind(),
                  fmt::format("scores in {}: {}", scores.front().file.parent_path().string(), error.what()));
    }
  }
  return rows;
}
}  // namespace

std::vector<MetricRow> metric_rows(const std::vector<ScoreFile>& scores, const std::vector<wire::Protocol>& protocols) {
  const bool wide = !scores.empty() && NpyArray(scores.front().file).type() == NpyType::float64;
  return wide ? rows_of<double>(scores, protocols) : rows_of<float>(scores, protocols);
}

}  // namespace nearfar
