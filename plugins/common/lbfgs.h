#pragma once
/// PyTorch's LBFGS without line search, for one number: the same sequence of steps, so that it stops where the
/// reference stops.
#include <algorithm>
#include <cmath>
#include <vector>

namespace nearfar::common {

struct LbfgsOptions {
  double lr = 1;
  int max_iterations = 20;
  double tolerance_gradient = 1e-7, tolerance_change = 1e-9;
};
struct ValueAndSlope {
  double value, slope;
};

/// Minimises f(x) -> ValueAndSlope from `x`. Nocedal and Wright, Numerical Optimization, algorithm 7.5, with PyTorch's
/// stopping rules (torch.optim.LBFGS, history 100, at most 5/4 evaluations an iteration).
template <class F>
double lbfgs(F f, double x, const LbfgsOptions& options) {
  struct Pair {
    double y, s;
  };
  std::vector<Pair> history;
  ValueAndSlope now = f(x);
  if (std::abs(now.slope) <= options.tolerance_gradient) return x;
  double direction = -now.slope, step = 0, scale = 1, earlier_slope = 0;
  const int most_evaluations = options.max_iterations * 5 / 4;
  for (int iteration = 1, evaluations = 1;; ++iteration) {
    if (iteration > 1) {
      const double y = now.slope - earlier_slope, s = direction * step;
      if (y * s > 1e-10) {
        if (history.size() == 100) history.erase(history.begin());
        history.push_back({y, s});
        scale = s / y;  // (y s) / (y y)
      }
      // The two-loop recursion; in one dimension every factor is a number.
      double q = -now.slope;
      std::vector<double> alphas(history.size());
      for (std::size_t i = history.size(); i-- > 0;) {
        alphas[i] = q / history[i].y;  // (s q) / (y s)
        q -= alphas[i] * history[i].y;
      }
      direction = q * scale;
      for (std::size_t i = 0; i < history.size(); ++i)
        direction += history[i].s * (alphas[i] - direction / history[i].s);
    }
    earlier_slope = now.slope;
    const double earlier_value = now.value;
    step = iteration == 1 ? std::min(1.0, 1.0 / std::abs(now.slope)) * options.lr : options.lr;
    if (now.slope * direction > -options.tolerance_change) break;
    x += step * direction;
    if (iteration == options.max_iterations) break;
    now = f(x);
    if (++evaluations >= most_evaluations) break;
    if (std::abs(now.slope) <= options.tolerance_gradient) break;
    if (std::abs(direction * step) <= options.tolerance_change) break;
    if (std::abs(now.value - earlier_value) < options.tolerance_change) break;
  }
  return x;
}

}  // namespace nearfar::common
