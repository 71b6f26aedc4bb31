#pragma once
/// Two small sweeps with scores: one change at a time, and a grid.
#include "base/error.h"
#include "report/ablation.h"
#include "report/scored_results.h"

#include <stdexcept>
#include <string>
#include <vector>

namespace nearfar::testing {

inline std::vector<Factor> setting(double lr, const std::string& projection, double smoothing) {
  return {{"loss.smoothing", smoothing, smoothing == 0},
          {"train.lr", lr, lr == 0.1},
          {"train.projection", projection, false}};
}

/// From lr 0.1, mlp, smoothing 0: lr 0.05 (a little worse), 0.5 (much worse), linear (the same but for a hair),
/// smoothing 0.2 (better).
inline ScoredResults star(const std::vector<std::int64_t>& seeds = {0, 1, 2}) {
  ScoredResults results;
  for (const std::int64_t seed : seeds) {
    const double luck = 0.05 * static_cast<double>(seed);
    results.add("ce", "knn", seed, 1.5 + luck, setting(0.1, "mlp", 0));
    results.add("ce", "knn", seed, 1.4, setting(0.05, "mlp", 0));
    results.add("ce", "knn", seed, 0.3 + luck, setting(0.5, "mlp", 0));
    results.add("ce", "knn", seed, seed == 0 ? 1.51 : 1.49 + luck, setting(0.1, "linear", 0));
    results.add("ce", "knn", seed, 2.2 + luck, setting(0.1, "mlp", 0.2));
  }
  return results;
}

/// lr 0.05, 0.1, 0.5 with mlp and linear.
inline ScoredResults grid() {
  ScoredResults results;
  for (const std::int64_t seed : {0, 1}) {
    for (const char* projection : {"mlp", "linear"}) {
      const double more = std::string(projection) == "mlp" ? 0.1 : 0;
      results.add("ce", "knn", seed, 1.2 + more, setting(0.05, projection, 0));
      results.add("ce", "knn", seed, 1.5 + more, setting(0.1, projection, 0));
      results.add("ce", "knn", seed, 0.5 - more, setting(0.5, projection, 0));
    }
  }
  return results;
}

inline Ablation ablation_of(const ScoredResults& results, AblationRequest request = {}, std::vector<Gap> failed = {}) {
  Results loaded;
  loaded.filter.experiment = "sample";
  loaded.frame = results.frame();
  loaded.failed = std::move(failed);
  request.resamples = 60;
  return make_ablation(loaded, request, [&](int, const ResultSubject& subject) { return results.scores_of(subject); });
}

/// What the error says; "" where there is none.
inline std::string refusal(const ScoredResults& results, const AblationRequest& request = {}) {
  try {
    ablation_of(results, request);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace nearfar::testing
