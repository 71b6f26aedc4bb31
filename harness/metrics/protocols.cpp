#include "metrics/protocols.h"

#include "base/set_name.h"
#include "metrics/ranking.h"

#include <algorithm>
#include <utility>

namespace nearfar {
namespace {

bool is_id_side(const EvaluationProtocol& protocol, const std::string& set) {
  return set == sets::kTest || std::ranges::find(protocol.csid, set) != protocol.csid.end();
}

template <class T>
SortedScores<T> id_side(std::span<const SetScores<T>> all, const EvaluationProtocol& protocol) {
  std::vector<T> pooled;
  for (const SetScores<T>& one : all) {
    if (is_id_side(protocol, one.set)) pooled.insert(pooled.end(), one.scores.begin(), one.scores.end());
  }
  return {std::span<const T>(pooled), Side::id};
}

}  // namespace

template <class T>
std::vector<ProtocolMetric> protocol_metrics(std::span<const SetScores<T>> all,
                                             std::span<const EvaluationProtocol> protocols) {
  std::vector<ProtocolMetric> rows;
  for (const EvaluationProtocol& protocol : protocols) {
    const SortedScores<T> id = id_side(all, protocol);
    for (const SetScores<T>& one : all) {
      const auto name = parse_set_name(one.set);
      if (!name || !is_ood_group(name->group)) continue;
      const OodMetrics found = ood_metrics(id, std::span<const T>(one.scores));
      for (const auto& [metric, value] : {std::pair("auroc", found.auroc), std::pair("fpr95", found.fpr95),
                                          std::pair("aupr_in", found.aupr_in), std::pair("aupr_out", found.aupr_out)})
        rows.push_back({protocol.name, name->group, name->name, metric, value});
    }
  }
  return rows;
}

template std::vector<ProtocolMetric> protocol_metrics<float>(std::span<const SetScores<float>>,
                                                             std::span<const EvaluationProtocol>);
template std::vector<ProtocolMetric> protocol_metrics<double>(std::span<const SetScores<double>>,
                                                              std::span<const EvaluationProtocol>);

}  // namespace nearfar
