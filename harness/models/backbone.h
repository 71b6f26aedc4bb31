#pragma once
/// What turns images into pooled features, and the table of those we know. Internal to models/: callers use network.h.
#include "models/network.h"
#include "models/state.h"

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace nearfar {

class Backbone {
 public:
  Backbone() = default;
  Backbone(const Backbone&) = delete;
  Backbone& operator=(const Backbone&) = delete;
  virtual ~Backbone() = default;
  /// [N,in_channels,H,W] float32 -> [N,width] float32.
  virtual at::Tensor forward(const at::Tensor& images, bool training) const = 0;
  virtual std::int64_t width() const = 0;

  /// Stages whose maps can be told, as Network has them; 0 = none, and then the rest is not called. Evaluation mode.
  virtual std::int64_t stages() const { return 0; }
  /// Runs the stages first … last-1 (0 = the stem) on the images or on the map of stage first-1; `seen` may be null.
  virtual at::Tensor run_stages(const at::Tensor& in, std::int64_t first, std::int64_t last, Activations* seen) const;
  /// The last stage's map [N,width,h,w] -> [N,width].
  virtual at::Tensor pool(const at::Tensor& map) const;
};

/// One that is a chain of stages, each a function of the map before it: forward passes of every kind follow from that.
class StagedBackbone : public Backbone {
 public:
  at::Tensor forward(const at::Tensor& images, bool training) const final;
  at::Tensor run_stages(const at::Tensor& in, std::int64_t first, std::int64_t last, Activations* seen) const final;

 protected:
  using Layers = std::vector<at::Tensor>;  ///< outputs of what are layers in the original: hooks see them
  /// `seen` may be null: nothing is kept.
  virtual at::Tensor run_stage(const at::Tensor& in, std::int64_t stage, bool training, Layers* seen) const = 0;
};

/// One row for each architecture.
struct Architecture {
  const char* name;
  std::int64_t size;     ///< height and width of the images it was made for
  std::int64_t minimum;  ///< smallest height and width it takes; equal to `size` and `maximum` where it takes no other
  std::int64_t maximum;
  std::unique_ptr<Backbone> (*build)(const Scope& scope, std::int64_t in_channels);
  /// What the weight of a linear classifier on it starts from (its bias from 0) where that is not PyTorch's default.
  std::optional<Fill> head_weight;
};

std::span<const Architecture> architecture_table();
/// Error(config) with a suggestion.
const Architecture& find_architecture(const std::string& name);

// resnet.cpp
std::unique_ptr<Backbone> build_resnet8(const Scope& scope, std::int64_t in_channels);
std::unique_ptr<Backbone> build_resnet18_small(const Scope& scope, std::int64_t in_channels);
std::unique_ptr<Backbone> build_resnet18(const Scope& scope, std::int64_t in_channels);
std::unique_ptr<Backbone> build_resnet34(const Scope& scope, std::int64_t in_channels);
std::unique_ptr<Backbone> build_resnet50(const Scope& scope, std::int64_t in_channels);
std::unique_ptr<Backbone> build_resnet101(const Scope& scope, std::int64_t in_channels);
// wide_resnet.cpp
std::unique_ptr<Backbone> build_wrn_40_2(const Scope& scope, std::int64_t in_channels);
std::unique_ptr<Backbone> build_wrn_28_10(const Scope& scope, std::int64_t in_channels);
// densenet.cpp
std::unique_ptr<Backbone> build_densenet121(const Scope& scope, std::int64_t in_channels);
// convnext.cpp
std::unique_ptr<Backbone> build_convnext_tiny(const Scope& scope, std::int64_t in_channels);
// vision_transformer.cpp
std::unique_ptr<Backbone> build_vit_b_16(const Scope& scope, std::int64_t in_channels);
// swin.cpp
std::unique_ptr<Backbone> build_swin_t(const Scope& scope, std::int64_t in_channels);

}  // namespace nearfar
