#include "conformance/formula_network.h"

#include "conformance/problem.h"

#include <cmath>

namespace nearfar {
namespace {

/// Each pixel's channels by a matrix.
at::Tensor mix(const at::Tensor& matrix, const at::Tensor& map) {
  const at::Tensor mixed = matrix.matmul(map.flatten(2));
  return mixed.view({map.size(0), matrix.size(0), map.size(2), map.size(3)});
}

at::Tensor mixing(std::int64_t out, std::int64_t in) {
  return formula(out, in, [](double o, double i) { return 0.2 + std::abs(std::cos(1.3 * o + 2.1 * i)); });
}

}  // namespace

FormulaNetwork::FormulaNetwork(const at::Tensor& images, const HeadWeights& head) : images_(images), head_(head) {
  for (const at::Tensor& matrix : {mixing(6, 3), mixing(kProblemWidth, 6)})
    mixes_.push_back(matrix.to(images.device(), images.scalar_type()));
  at::Tensor map = images;
  for (const at::Tensor& matrix : mixes_) maps_.push_back(map = mix(matrix, map));
  clean_ = forward_from(stages() - 1, map);
}

NetworkBatch::Outputs FormulaNetwork::forward(const at::Tensor& images) {
  return forward_from(stages() - 1, forward_to(stages() - 1, images));
}

at::Tensor FormulaNetwork::forward_to(std::int64_t stage, const at::Tensor& images) {
  at::Tensor map = images;
  for (std::size_t i = 0; i <= static_cast<std::size_t>(stage); ++i) map = mix(mixes_.at(i), map);
  return map;
}

NetworkBatch::Outputs FormulaNetwork::forward_from(std::int64_t stage, const at::Tensor& changed) {
  at::Tensor map = changed;
  for (std::size_t i = static_cast<std::size_t>(stage) + 1; i < mixes_.size(); ++i) map = mix(mixes_[i], map);
  const at::Tensor features = map.mean({2, 3});
  return {features, features.mm(head_.weight.t()).add(head_.bias)};
}

at::Tensor FormulaNetwork::logit_gradient(const at::Tensor& direction) {
  const at::Tensor& last = maps_.back();
  const at::Tensor by_feature = direction.mm(head_.weight).div(static_cast<double>(last.size(2) * last.size(3)));
  return map_gradient(stages() - 1, by_feature.unsqueeze(2).unsqueeze(3).expand_as(last));
}

at::Tensor FormulaNetwork::map_gradient(std::int64_t stage, const at::Tensor& direction) {
  at::Tensor gradient = direction;
  for (std::int64_t i = stage; i >= 0; --i) gradient = mix(mixes_.at(static_cast<std::size_t>(i)).t(), gradient);
  return gradient;
}

NetworkBatch& FormulaNetwork::in_float64() {
  if (images_.scalar_type() == at::kDouble) return *this;
  if (exact_ == nullptr) {
    exact_ = std::make_unique<FormulaNetwork>(
        images_.toType(at::kDouble), HeadWeights{head_.weight.toType(at::kDouble), head_.bias.toType(at::kDouble)});
  }
  return *exact_;
}

}  // namespace nearfar
