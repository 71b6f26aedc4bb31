#include "cuda/graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <optional>

namespace nearfar::cuda {
namespace {

class Graph final : public DeviceGraph {
 public:
  ~Graph() override {
    if (!recording_) return;
    try {  // what was recorded has failed: its stream must not stay in recording
      graph_.capture_end();
    } catch (const std::exception&) {
      static_cast<void>(cudaGetLastError());
    }
  }

  void begin() override {
    const c10::cuda::CUDAStream current = c10::cuda::getCurrentCUDAStream();
    C10_CUDA_CHECK(cudaStreamSynchronize(current));  // what the graph reads is there, whatever stream it is recorded on
    if (current == c10::cuda::getDefaultCUDAStream(current.device_index()))
      side_.emplace(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, current.device_index()));
    // Other threads (uploads) may go on with CUDA meanwhile; backward()'s work is recorded through its stream.
    graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    recording_ = true;
  }

  void end() override {
    recording_ = false;
    graph_.capture_end();
    side_.reset();
  }

  void replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
  std::optional<c10::cuda::CUDAStreamGuard> side_;
  bool recording_ = false;
};

}  // namespace

std::unique_ptr<DeviceGraph> make_graph() { return std::make_unique<Graph>(); }

}  // namespace nearfar::cuda
