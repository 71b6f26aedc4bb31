#pragma once
/// The metrics of one evaluation: every OOD set against the ID side of every protocol, as OpenOOD v1.5 evaluates (ood,
/// fsood). For who measures a cell and for who checks it afterwards, so that both mean the same. Pure functions, safe
/// from any thread. Sets are named as in base/set_name.h.
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// ID is `test`, pooled with these covariate-shifted sets.
struct EvaluationProtocol {
  std::string name = {};  ///< "ood", "fsood"
  std::vector<std::string> csid = {};
};

/// Scores of one set, higher = more out-of-distribution. T is float or double and is never narrowed.
template <class T>
struct SetScores {
  std::string set = {};  ///< "test", "near/NAME"
  std::vector<T> scores = {};
};

struct ProtocolMetric {
  std::string protocol = {}, group = {}, dataset = {};  ///< group: near, far or control; dataset: the set's name
  std::string metric = {};                              ///< auroc, fpr95, aupr_in, aupr_out
  double value = 0;                                     ///< a fraction
};

/// By protocol and set in the orders given, then auroc, fpr95, aupr_in, aupr_out. ID sides are pooled in the order of
/// `sets`; sets of other groups (val, ood_val) take no part. Error(data) for a NaN, an infinity or an empty side.
template <class T>
std::vector<ProtocolMetric> protocol_metrics(std::span<const SetScores<T>> sets,
                                             std::span<const EvaluationProtocol> protocols);

extern template std::vector<ProtocolMetric> protocol_metrics<float>(std::span<const SetScores<float>>,
                                                                    std::span<const EvaluationProtocol>);
extern template std::vector<ProtocolMetric> protocol_metrics<double>(std::span<const SetScores<double>>,
                                                                     std::span<const EvaluationProtocol>);

}  // namespace nearfar
