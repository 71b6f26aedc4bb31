// Simplified Hopfield energy. Zhang et al. 2023, ICLR.
#include "../../common/class_statistics.h"

#include <nearfar/plugin.h>

#include <string>

namespace {

constexpr nearfar::Param kParams[] = {
    {"metric", "inner_product", "inner_product|euclidean|cosine", "how features are compared"}};

class She final : public nearfar::Postprocessor {
 public:
  explicit She(const nearfar::Params& params) : metric_(params.text("metric")) {}

  void fit(const nearfar::FitContext& context) override {
    const nearfar::FeatureBatch& train = context.train;
    if (!train.labels.defined())
      throw nearfar::Error(nearfar::ErrorKind::data, "the train images have no labels; class means need them");
    const at::Tensor correct = train.logits.argmax(1).eq(train.labels).nonzero().squeeze(1);
    const auto rows = [&](std::int64_t first, std::int64_t count) {
      return train.features.index_select(0, correct.narrow(0, first, count));
    };
    auto [means, counts] = nearfar::common::class_means(rows, train.labels.index_select(0, correct), context.classes,
                                                        train.features.size(1));
    means_ = means;
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C], [N,D] -> [N]
    const at::Tensor pattern = means_.index_select(0, batch.logits.argmax(1));
    if (metric_ == "euclidean") return batch.features.sub(pattern).norm(2, {1});
    const at::Tensor product = batch.features.mul(pattern).sum(1);
    if (metric_ == "inner_product") return product.neg();
    return product.div(batch.features.norm(2, {1}).mul(pattern.norm(2, {1})).clamp_min(1e-8)).neg();
  }

 private:
  std::string metric_;
  at::Tensor means_;  // [C,D] float32; zero for a class without a correctly classified image
};

}  // namespace

NEARFAR_POSTPROCESSOR(She, .name = "she", .version = "1.0.0",
                      .summary = "likeness to the mean feature of the predicted class",
                      .reference = "ICLR 2023: Zhang et al., SHE",
                      .needs = nearfar::kLogits | nearfar::kFeatures | nearfar::kTrain, .params = kParams)
