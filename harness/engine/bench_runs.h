#pragma once
/// What `plugin bench` times of plugins of each kind of input. The subject comes first, the reference second; both are
/// of one kind. A plugin's exceptions come as host/call.h says.
#include "engine/bench_clock.h"
#include "host/plugin.h"
#include "wire/bench.h"

#include <vector>

namespace nearfar {

/// A plugin with the parameters that it was given.
struct BenchSide {
  LoadedPlugin plugin;
  ParamMap params = {};
};

/// Postprocessors on features: "fit" (of those that want train or validation rows, or the head) and "score", in the
/// runner's blocks.
std::vector<wire::BenchMeasure> bench_on_features(const BenchSide& subject, const BenchSide& reference,
                                                  const wire::BenchSize& size, const BenchClock& clock,
                                                  at::Device device);

/// Postprocessors of which one looks inside the network: a ResNet-18 for 32 x 32 pixels with random weights. "observe"
/// is the part that the method itself costs, a clean forward pass is made before and not timed.
std::vector<wire::BenchMeasure> bench_in_network(const BenchSide& subject, const BenchSide& reference,
                                                 const wire::BenchSize& size, const BenchClock& clock,
                                                 at::Device device);

/// Losses on one batch: "forward", and "step", which is forward and backward.
std::vector<wire::BenchMeasure> bench_losses(const BenchSide& subject, const BenchSide& reference,
                                             const wire::BenchSize& size, const BenchClock& clock, at::Device device);

}  // namespace nearfar
