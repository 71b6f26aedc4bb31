#pragma once
/// A network seen by methods that look inside it: one clean forward pass for a batch, shared by all of them, and what
/// they ask for besides.
#include "models/network.h"

#include <nearfar/features.h>
#include <nearfar/network_batch.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace nearfar {

/// What passes cost, in images: a batch of 64 counts 64. `forward` is the clean pass that everything shares.
struct PassCounts {
  std::int64_t forward = 0;    ///< images through the whole network, unchanged
  std::int64_t gradients = 0;  ///< images through a backward pass
  std::int64_t changed = 0;    ///< changed images, or changed or partial maps, through (a part of) the network
  std::int64_t float64 =
      0;  ///< all of these through the float64 copy of the network, which the three above do not count

  PassCounts& operator+=(const PassCounts& more) {
    forward += more.forward;
    gradients += more.gradients;
    changed += more.changed;
    float64 += more.float64;
    return *this;
  }
};

/// Owns nothing of the network. While it lives the network is in evaluation mode and its parameters want no gradients;
/// both are restored.
class NetworkPass {
 public:
  /// `needs`: kMapStatistics records maps, kInputGradients the graph of the clean pass.
  NetworkPass(Network& network, Needs needs, std::vector<double> pixel_std);
  ~NetworkPass();
  NetworkPass(const NetworkPass&) = delete;
  NetworkPass& operator=(const NetworkPass&) = delete;

  /// images [B,channels,H,W] float32, normalised: the clean forward pass. The batch refers to this pass and the
  /// network.
  std::unique_ptr<NetworkBatch> run(const at::Tensor& images);
  PassCounts counts() const;

 private:
  class Batch;
  Network& in_float64();

  Network& network_;
  std::unique_ptr<Network> float64_network_;  ///< made when a method first asks
  Needs needs_;
  std::vector<double> pixel_std_;
  PassCounts counts_, float64_counts_;
  EvalScope evaluation_;
  std::vector<at::Tensor> parameters_;  ///< that wanted gradients
};

}  // namespace nearfar
