// OpenMax. Bendale and Boult 2016, arXiv:1511.06233.
#include "../../common/weibull.h"

#include <nearfar/plugin.h>
#include <nearfar/to_host.h>

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

namespace {

constexpr nearfar::Param kParams[] = {
    {"tail", 20, 2, 1000000, "how many of a class's largest distances the Weibull tail is fitted to"},
    {"alpha", 3, 1, 1000000, "how many of the largest logits are revised"}};
constexpr std::int64_t kScoreBlock = 1024;  // rows

class OpenMax final : public nearfar::Postprocessor {
 public:
  explicit OpenMax(const nearfar::Params& params) : tail_(params.integer("tail")), alpha_(params.integer("alpha")) {}

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor &logits = context.train.logits, labels = context.train.labels;
    if (logits.size(0) == 0) throw nearfar::Error(nearfar::ErrorKind::data, "there are no train images to fit on");
    if (!labels.defined())
      throw nearfar::Error(nearfar::ErrorKind::data, "the train images have no labels; class means need them");
    const std::int64_t classes = logits.size(1);
    const at::Tensor correct = logits.argmax(1).eq(labels).nonzero().squeeze(1);
    const auto [sorted, order] = labels.index_select(0, correct).sort(/*stable=*/true, 0, false);
    const at::Tensor rows = correct.index_select(0, order), counts = nearfar::to_host(sorted.bincount({}, classes));
    means_ = at::zeros({classes, classes}, logits.options().dtype(at::kDouble));
    at::Tensor weibull = at::empty({3, classes}, at::TensorOptions(at::kDouble));
    double* parameters = weibull.mutable_data_ptr<double>();
    std::int64_t first = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      const std::int64_t count = counts.const_data_ptr<std::int64_t>()[c];
      const nearfar::common::WeibullTail tail =
          count == 0 ? nearfar::common::WeibullTail{} : fit_class(c, logits, rows.narrow(0, first, count));
      first += count;
      parameters[c] = tail.scale;
      parameters[classes + c] = tail.shape;
      parameters[2 * classes + c] = tail.smallest - 1;
    }
    weibull_ = weibull.to(means_.device());
  }

  /// [N,C] -> [N] float64: float32 would tie probabilities next to 1.
  at::Tensor score(const nearfar::FeatureBatch& batch) const override {
    const std::int64_t total = batch.logits.size(0);
    at::Tensor scores = batch.logits.new_empty({total}, at::kDouble);
    for (std::int64_t first = 0; first < total; first += kScoreBlock) {
      const std::int64_t count = std::min(kScoreBlock, total - first);
      scores.narrow(0, first, count).copy_(unknown(batch.logits.narrow(0, first, count)));
    }
    return scores;
  }

 private:
  nearfar::common::WeibullTail fit_class(std::int64_t c, const at::Tensor& logits, const at::Tensor& rows) {
    const at::Tensor own = logits.index_select(0, rows).toType(at::kDouble), mean = own.mean(0);
    means_.select(0, c).copy_(mean);
    const at::Tensor distances = own.sub(mean).square_().sum(1).sqrt_();
    const at::Tensor tail =
        nearfar::to_host(std::get<0>(distances.topk(std::min(tail_, distances.size(0)), 0))).contiguous();
    return nearfar::common::fit_weibull_tail({tail.const_data_ptr<double>(), static_cast<std::size_t>(tail.size(0))});
  }

  /// P(unknown) of [n,C] logits: [n] float64. Only the revised classes need distances: omega is 0 for the others.
  at::Tensor unknown(const at::Tensor& logits) const {
    const std::int64_t rows = logits.size(0), classes = logits.size(1), revised = std::min(alpha_, classes);
    const at::Tensor z = logits.toType(at::kDouble);
    const auto [top, which] = z.topk(revised, 1);  // [n,A], largest first
    const at::Tensor flat = which.reshape({-1});
    const auto own = [&](std::int64_t parameter) {
      return weibull_.select(0, parameter).index_select(0, flat).view({rows, revised});
    };
    at::Tensor distance = z.new_empty({rows, revised});
    for (std::int64_t i = 0; i < revised; ++i)
      distance.select(1, i).copy_(means_.index_select(0, which.select(1, i)).sub_(z).square_().sum(1).sqrt_());
    const at::Tensor known =
        distance.sub(own(2)).clamp_min_(0).div_(own(0)).pow_(own(1)).neg_().expm1_();  // minus the Weibull CDF
    const at::Tensor omega = at::arange(alpha_, alpha_ - revised, -1, z.options()).div_(alpha_);
    const at::Tensor taken = top.mul(known).mul_(omega).neg_();  // z_c w_c omega_c
    const at::Tensor left = z.scatter(1, which, top.sub(taken)), u = taken.sum(1);
    return u.sub(at::logaddexp(left.logsumexp(1), u))
        .exp_();  // e^u / (sum e^left + e^u), whatever the size of the logits
  }

  std::int64_t tail_, alpha_;
  at::Tensor means_;    // [C,C] float64: mean logits of the correctly classified train images of each class
  at::Tensor weibull_;  // [3,C] float64: scale, shape, smallest tail value less 1
};

}  // namespace

NEARFAR_POSTPROCESSOR(OpenMax, .name = "openmax", .version = "1.0.0",
                      .summary = "probability of an unknown class, from Weibull tails of logit distances",
                      .reference = "arXiv:1511.06233", .needs = nearfar::kLogits | nearfar::kTrain, .params = kParams)
