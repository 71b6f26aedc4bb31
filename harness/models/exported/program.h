#pragma once
/// An exported program that runs: whole, or from one of its values to others. Internal to models/exported. Reading it
/// and running it is safe from any thread; the tensors of its constants are shared.
#include "models/exported/archive.h"
#include "models/exported/functional.h"
#include "models/exported/operators.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

namespace nearfar::exported {

/// The nodes that lead from one value to others, in order.
struct Slice {
  ValueId from = kNoValue;
  std::vector<ValueId> to = {};
  std::vector<std::int32_t> nodes = {};
  std::vector<std::vector<ValueId>> done = {};  ///< values that nothing reads after the node of the same place
};

class Program {
 public:
  /// `image`: channels, height and width. Error(data): operators that are not allowed or do not fit (operators.h,
  /// functional.h); of nodes that the output needs.
  Program(Export exported, std::string source, std::vector<std::int64_t> image, at::Device device = at::kCPU);

  const Graph& graph() const { return *graph_; }
  const std::string& source() const { return source_; }
  const std::vector<at::Tensor>& constants() const { return constants_; }
  at::Device device() const { return device_; }

  /// `from`: the images, or a node through which everything goes that `to` is made of; kNoValue: `to` is made of
  /// constants alone. Error(config) naming the value that gets past it.
  Slice slice(ValueId from, std::vector<ValueId> to) const;
  /// slice.from → slice.to. Gradients are recorded where the caller wants them. Error(data) naming the node that
  /// failed.
  std::vector<at::Tensor> run(const Slice& slice, const at::Tensor& start) const;

  /// With float64 for float32 throughout. Error(config) where it computes in half precision.
  std::unique_ptr<Program> in_float64() const;
  /// The same error, without the copy.
  void require_float64() const;

 private:
  Program() = default;
  void bind(const std::vector<std::int32_t>& nodes, bool doubles);
  /// The number of the image's dimension that a node asks for, -1 if it does something else.
  std::int64_t image_dimension(const Node& node) const;

  std::string source_;
  std::vector<std::int64_t> image_;
  at::Device device_ = at::kCPU;
  std::shared_ptr<const Graph> graph_;  ///< shared with its float64 copy
  Effects effects_;
  std::vector<at::Tensor> constants_;
  std::vector<std::shared_ptr<const Call>> calls_;  ///< by node; none where the output does not need it
};

}  // namespace nearfar::exported
