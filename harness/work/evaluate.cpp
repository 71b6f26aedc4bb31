#include "work/evaluate.h"

#include "base/error.h"
#include "base/npy.h"
#include "metrics/protocols.h"

#include <fmt/format.h>

#include <span>

namespace nearfar {
namespace {

template <class T>
std::vector<MetricRow> rows_of(const std::vector<ScoreFile>& files, const std::vector<EvaluationProtocol>& protocols) {
  std::vector<SetScores<T>> scores;
  for (const ScoreFile& file : files) {
    const NpyArray array(file.file);
    const auto values = array.values<T>(1);
    scores.push_back({file.name, {values.begin(), values.end()}});
  }
  std::vector<MetricRow> rows;
  try {
    for (ProtocolMetric& one : protocol_metrics<T>(scores, protocols))
      rows.push_back({.protocol = std::move(one.protocol),
                      .group = std::move(one.group),
                      .dataset = std::move(one.dataset),
                      .metric = std::move(one.metric),
                      .value = one.value});
  } catch (const Error& error) {
    const std::string folder = files.empty() ? "no files" : files.front().file.parent_path().string();
    throw Error(error.kind(), fmt::format("scores in {}: {}", folder, error.what()));
  }
  return rows;
}

}  // namespace

std::vector<MetricRow> metric_rows(const std::vector<ScoreFile>& scores, const std::vector<wire::Protocol>& protocols) {
  std::vector<EvaluationProtocol> as_metrics;
  for (const wire::Protocol& one : protocols) as_metrics.push_back({one.name, one.csid});
  const bool wide = !scores.empty() && NpyArray(scores.front().file).type() == NpyType::float64;
  return wide ? rows_of<double>(scores, as_metrics) : rows_of<float>(scores, as_metrics);
}

}  // namespace nearfar
