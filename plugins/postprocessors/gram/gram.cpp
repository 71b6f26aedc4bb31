// Gram matrices: how far the correlations of channels, at every layer and several powers, leave the range that train
// images of the predicted class have. Sastry and Oore 2020, arXiv:1912.12510, as OpenOOD has it since its correction.
#include "../../common/network_precision.h"
#include "../../common/npy_indices.h"
#include "../../common/python_random.h"

#include <nearfar/plugin.h>
#include <nearfar/to_host.h>

#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

constexpr nearfar::Param kParams[] = {
    {"powers", 5, 1, 10, "powers 1 to this of each layer's output"},
    {"seed", 0, 0, 2147483647, "of the draw of held-out train images"},
    {"picks", nearfar::kNoFile, "a .npy of the train rows that are held out, instead of a draw"},
    nearfar::common::kPrecision};
constexpr double kHeldOut = 0.1;      // share of each class
constexpr std::int64_t kBlock = 256;  // rows of columns in memory at a time
constexpr double kEpsilon = 1e-6;     // of the reference
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// What of a map [B,c,h,w] is kept: row sums of the Gram matrix of its q-th power, signed q-th root, q = 1 … powers:
/// [B,powers*c]. sum_j F_i . F_j = F_i . sum_j F_j needs no Gram matrix. Divided by the image's largest value before,
/// and its square put back after, so that powers do not overflow.
at::Tensor correlations(const at::Tensor& map, std::int64_t powers) {
  const at::Tensor rows = map.flatten(2);
  const at::Tensor largest = rows.abs().amax({1, 2}, true).clamp_min_(1e-30);
  const at::Tensor base = rows.div(largest), back = largest.squeeze(2).square();
  at::Tensor power = base.clone();
  std::vector<at::Tensor> parts;
  for (std::int64_t q = 1; q <= powers; ++q) {
    if (q > 1) power.mul_(base);
    const at::Tensor sums = power.bmm(power.sum(1).unsqueeze(2)).squeeze(2);
    parts.push_back(sums.sign().mul_(sums.abs().pow(1.0 / static_cast<double>(q))).mul_(back));
  }
  return at::cat(parts, 1);
}

/// How far values leave [low, high], relative to the bound that they cross.
at::Tensor deviations(const at::Tensor& values, const at::Tensor& low, const at::Tensor& high) {
  const auto beyond = [](const at::Tensor& distance, const at::Tensor& bound) {
    return distance.relu().div_(bound.add(kEpsilon).abs_().clamp_min_(1e-12));
  };
  return beyond(low.sub(values), low).add_(beyond(values.sub(high), high));
}

class Gram final : public nearfar::Postprocessor {
 public:
  explicit Gram(const nearfar::Params& params)
      : powers_(params.integer("powers")),
        seed_(params.integer("seed")),
        picks_(params.text("picks")),
        precision_(params) {}

  at::Tensor observe(
      nearfar::NetworkBatch& batch) const override {  // -> [B,K]: layers, in each the powers, in each the channels
    return values(precision_.of(batch)).toType(at::kFloat);
  }

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor& train = context.train.observed;
    const std::vector<Class> classes = split(context);
    low_ = at::full({context.classes, train.size(1)}, kInfinity, train.options());
    high_ = at::full({context.classes, train.size(1)}, -kInfinity, train.options());
    for (const Class& one : classes) {
      at::Tensor low = low_[one.label], high = high_[one.label];
      for_blocks(train, one.bounding, [&](const at::Tensor& block) {
        at::minimum_out(low, low, block.amin(0));
        high.copy_(high.maximum(block.amax(0)));
      });
    }
    // A class without images to bound it has the range of all: OpenOOD fails there.
    low_ = low_.where(low_.ne(kInfinity), low_.amin(0, true));
    high_ = high_.where(high_.ne(-kInfinity), high_.amax(0, true));
    usual_ = usual_deviation(train, classes);
  }

  at::Tensor observe_fitted(nearfar::NetworkBatch& images) const override {  // -> [B,1]
    nearfar::NetworkBatch& batch = precision_.of(images);
    const at::Tensor values = this->values(batch), logits = batch.logits(), predicted = logits.argmax(1);
    const at::Tensor deviation = deviations(values, low_.index_select(0, predicted), high_.index_select(0, predicted));
    at::Tensor total = at::zeros({values.size(0), 1}, values.options().dtype(at::kDouble));
    std::int64_t first = 0;
    for (const at::Tensor& layer : batch.layers()) {
      const std::int64_t width = layer.size(1) * powers_;
      const at::Tensor usual = usual_.narrow(0, first, width).sum();
      total.add_(deviation.narrow(1, first, width).sum(1, true, at::kDouble).div_(usual.masked_fill(usual.eq(0), 1)));
      first += width;
    }
    constexpr double kMost = std::numeric_limits<float>::max();
    return total.div_(logits.softmax(1).amax(1, true)).nan_to_num_(kMost).clamp_max_(kMost).toType(at::kFloat);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override { return batch.observed.select(1, 0).clone(); }

 private:
  at::Tensor values(const nearfar::NetworkBatch& batch) const {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& layer : batch.layers()) parts.push_back(correlations(layer, powers_));
    return at::cat(parts, 1);
  }

  /// Train rows of a class: those that give its range, and those held out to see how far an image of the class usually
  /// leaves it.
  struct Class {
    std::int64_t label;
    std::vector<std::int64_t> bounding, held_out;
  };

  /// Classes in order of their first image, as OpenOOD draws.
  std::vector<Class> split(const nearfar::FitContext& context) const {
    if (!context.train.labels.defined()) {
      throw nearfar::Error(nearfar::ErrorKind::data,
                           "the train images have no labels; the ranges of classes need them");
    }
    const at::Tensor labels = nearfar::to_host(context.train.labels).contiguous();
    const std::int64_t* label = labels.const_data_ptr<std::int64_t>();
    const std::int64_t total = labels.size(0);
    if (total == 0) throw nearfar::Error(nearfar::ErrorKind::data, "there are no train images to fit on");
    std::vector<Class> classes;
    std::vector<std::size_t> place(static_cast<std::size_t>(context.classes), SIZE_MAX);
    for (std::int64_t row = 0; row < total; ++row) {
      if (label[row] < 0 || label[row] >= context.classes) {
        throw nearfar::Error(nearfar::ErrorKind::data, "train image " + std::to_string(row) + " has label " +
                                                           std::to_string(label[row]) + "; expected 0 to " +
                                                           std::to_string(context.classes - 1));
      }
      std::size_t& at = place[static_cast<std::size_t>(label[row])];
      if (at == SIZE_MAX) {
        at = classes.size();
        classes.push_back({label[row], {}, {}});
      }
      classes[at].bounding.push_back(row);
    }
    hold_out(classes, total);
    return classes;
  }

  void hold_out(std::vector<Class>& classes, std::int64_t total) const {
    std::vector<bool> held(static_cast<std::size_t>(total), false);
    if (!picks_.empty()) {
      for (const std::int64_t row : nearfar::common::read_npy_indices(picks_, total))
        held[static_cast<std::size_t>(row)] = true;
    } else {
      nearfar::common::PythonRandom random(static_cast<std::uint32_t>(seed_));
      for (const Class& one : classes) {
        const auto size = static_cast<std::int64_t>(one.bounding.size());
        for (const std::int64_t at :
             random.sample(size, static_cast<std::int64_t>(static_cast<double>(size) * kHeldOut)))
          held[static_cast<std::size_t>(one.bounding[static_cast<std::size_t>(at)])] = true;
      }
    }
    bool any = false;
    for (Class& one : classes) {
      const auto begin = std::stable_partition(one.bounding.begin(), one.bounding.end(),
                                               [&](std::int64_t row) { return !held[static_cast<std::size_t>(row)]; });
      one.held_out.assign(begin, one.bounding.end());
      one.bounding.erase(begin, one.bounding.end());
      any = any || !one.bounding.empty();
    }
    if (!any)
      throw nearfar::Error(nearfar::ErrorKind::data,
                           "all train images are held out; expected some of each class to give its range");
  }

  /// body(block [n,K]) of the rows, a block at a time: the columns may be a mapped file larger than memory.
  template <class Body>
  static void for_blocks(const at::Tensor& columns, const std::vector<std::int64_t>& rows, Body&& body) {
    const auto total = static_cast<std::int64_t>(rows.size());
    for (std::int64_t first = 0; first < total; first += kBlock) {
      const std::int64_t count = std::min(kBlock, total - first);
      const at::Tensor index =
          at::from_blob(const_cast<std::int64_t*>(rows.data()) + first, {count}, at::TensorOptions(at::kLong));
      body(columns.index_select(0, index.to(columns.device())));
    }
  }

  /// [K] float64: mean deviation of held-out images from the range of their own class. Zero without any: nothing is
  /// divided then.
  at::Tensor usual_deviation(const at::Tensor& train, const std::vector<Class>& classes) const {
    at::Tensor sum = at::zeros({train.size(1)}, train.options().dtype(at::kDouble));
    std::size_t count = 0;
    for (const Class& one : classes) {
      count += one.held_out.size();
      for_blocks(train, one.held_out, [&](const at::Tensor& block) {
        sum.add_(deviations(block, low_[one.label], high_[one.label]).sum(0, false, at::kDouble));
      });
    }
    return sum.div_(static_cast<double>(std::max<std::size_t>(count, 1)));
  }

  std::int64_t powers_, seed_;
  std::string picks_;
  nearfar::common::NetworkPrecision precision_;
  at::Tensor low_, high_;  // [C,K]: the range of each column in each class
  at::Tensor usual_;       // [K] float64; its sum over a layer's columns is the layer's normaliser
};

}  // namespace

NEARFAR_POSTPROCESSOR(Gram, .name = "gram", .version = "1.0.0",
                      .summary = "how far channel correlations of all layers leave the range of the predicted class",
                      .reference = "arXiv:1912.12510",
                      .needs = nearfar::kLogits | nearfar::kMapStatistics | nearfar::kTrain, .params = kParams,
                      .observed_params = "powers,precision", .observes_fitted = true)
