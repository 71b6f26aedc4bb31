#pragma once
/// The tensors of a network while it is built: named, shaped, and with the distribution each starts from. Layers
/// register what they need and keep the handles; nothing is drawn or even allocated for good until draw() or the
/// caller's own values fill them.
#include "models/named_tensor.h"

#include <ATen/core/Generator.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace nearfar {

/// How a tensor of a new network starts.
struct Fill {
  enum class Kind { constant, uniform, normal };
  Kind kind = Kind::constant;
  double value = 0;  ///< the constant, the bound (-value to value), or the standard deviation

  static Fill constant(double value) { return {Kind::constant, value}; }
  static Fill uniform(double bound) { return {Kind::uniform, bound}; }
  /// torchvision's trunc_normal_ cuts at -2 and 2, dozens of the deviations in use away: the same as normal.
  static Fill normal(double deviation) { return {Kind::normal, deviation}; }
  /// PyTorch's default for convolutions and linear layers, kaiming_uniform with a = sqrt(5): within 1/sqrt(fan_in).
  static Fill layer_default(std::int64_t fan_in);
  /// Glorot and Bengio 2010.
  static Fill xavier_uniform(std::int64_t fan_in, std::int64_t fan_out);
  /// He et al. 2015 for ReLU, scaled by what leaves: torchvision's ResNets.
  /// torchvision's DenseNets scale by what comes in.
  static Fill kaiming_normal(std::int64_t fan);
};

class State {
 public:
  /// Where its tensors are made; meta: shapes only, no memory.
  explicit State(at::Device device) : device_(device) {}

  at::Tensor parameter(const std::string& name, const std::vector<std::int64_t>& shape,
                       Fill fill);  ///< float32, wants a gradient
  at::Tensor buffer(const std::string& name, const std::vector<std::int64_t>& shape, double value, at::ScalarType type);

  /// Fills every tensor, those with a distribution from `generator` in the order of registration.
  void draw(const at::Generator& generator);
  /// Convolution kernels into channels-last memory, where CPU kernels are fastest; their values may be lost where they
  /// do not matter yet.
  void channels_last(bool keep_values);
  /// Parameters, then buffers, each in the order of registration.
  std::vector<NamedTensor> named() const;
  at::Device device() const { return device_; }

 private:
  struct Row {
    NamedTensor named;
    Fill fill;
  };
  at::Tensor add(const std::string& name, const std::vector<std::int64_t>& shape, at::ScalarType type, bool parameter,
                 Fill fill);

  at::Device device_;
  std::vector<Row> rows_;
};

/// A place in the tree of names: "backbone.layer1.0." and the State behind it.
class Scope {
 public:
  Scope(State& state, std::string prefix) : state_(&state), prefix_(std::move(prefix)) {}
  Scope operator/(const std::string& name) const { return {*state_, prefix_ + name + "."}; }
  Scope operator/(std::int64_t index) const { return *this / std::to_string(index); }

  at::Device device() const { return state_->device(); }  ///< for what a layer keeps besides

  at::Tensor parameter(const char* name, const std::vector<std::int64_t>& shape, Fill fill) const {
    return state_->parameter(prefix_ + name, shape, fill);
  }
  at::Tensor buffer(const char* name, const std::vector<std::int64_t>& shape, double value,
                    at::ScalarType type = at::kFloat) const {
    return state_->buffer(prefix_ + name, shape, value, type);
  }

 private:
  State* state_;
  std::string prefix_;
};

}  // namespace nearfar
