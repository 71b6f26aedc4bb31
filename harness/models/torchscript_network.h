#pragma once
/// A network that torch.jit.save wrote, as a Network. Such a file is code: loading and running it is running its
/// author's program, so only the engine does, and only where a person said --trust. Not thread-safe, as every Network.
#include "models/network.h"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace nearfar {

class TorchScriptNetwork : public Network {
 public:
  /// Does forward return (logits, features)? Otherwise features() are the logits.
  virtual bool has_features() const = 0;
};

/// In evaluation mode. forward takes images [N,channels,height,width] and returns logits [N,C], or logits
/// and features [N,D]; both widths are found by running it once. It has no maps and no head weights, and output() knows
/// the logits of what features() gave last. Error(data) naming the file: no TorchScript, forward fails or returns
/// something else.
std::unique_ptr<TorchScriptNetwork> open_torchscript(const std::filesystem::path& file, std::int64_t channels,
                                                     std::int64_t height, std::int64_t width,
                                                     at::Device device = at::kCPU);

}  // namespace nearfar
