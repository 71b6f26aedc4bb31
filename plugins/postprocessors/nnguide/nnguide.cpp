// Nearest neighbour guidance. Park et al. 2023, arXiv:2309.14888.
#include <nearfar/plugin.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>

namespace {

constexpr nearfar::Param kParams[] = {
    {"k", 100, 1, 1000000, "how many of the nearest bank rows count"},
    {"alpha", 0.01, 0.0, 1.0, "share of the train images in the bank, rounded up to whole batches"},
    {"batch", 200, 1, 1000000, "images a batch; OpenOOD's bank is made of its first batches"}};
constexpr std::int64_t kScoreBlock = 4096;  // rows

class NnGuide final : public nearfar::Postprocessor {
 public:
  explicit NnGuide(const nearfar::Params& params)
      : k_(params.integer("k")), alpha_(params.number("alpha")), batch_(params.integer("batch")) {}

  void fit(const nearfar::FitContext& context) override {
    const nearfar::FeatureBatch& train = context.train;
    const std::int64_t total = train.normalized.size(0);
    const auto wanted = static_cast<std::int64_t>(static_cast<double>(total) * alpha_);
    const std::int64_t rows =
        std::min(total, (wanted / batch_ + 1) * batch_);  // batches until there are more than wanted
    if (k_ > rows) {
      throw nearfar::Error(nearfar::ErrorKind::config, "k is " + std::to_string(k_) + " but the bank has " +
                                                           std::to_string(rows) +
                                                           " images; give a k of at most that, or a larger alpha");
    }
    bank_ = train.normalized.narrow(0, 0, rows).mul(train.logits.narrow(0, 0, rows).logsumexp(1, true));
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D], [N,C] -> [N]
    const std::int64_t total = batch.normalized.size(0);
    at::Tensor scores = batch.normalized.new_empty({total});
    for (std::int64_t first = 0; first < total; first += kScoreBlock) {
      const std::int64_t count = std::min(kScoreBlock, total - first);
      const at::Tensor likeness = batch.normalized.narrow(0, first, count).mm(bank_.t());
      const at::Tensor guidance = std::get<0>(likeness.topk(k_, 1, true, false)).mean(1);
      scores.narrow(0, first, count).copy_(guidance.mul(batch.logits.narrow(0, first, count).logsumexp(1)).neg());
    }
    return scores;
  }

 private:
  std::int64_t k_;
  double alpha_;
  std::int64_t batch_;
  at::Tensor bank_;  // [M,D]: unit features times their energy
};

}  // namespace

NEARFAR_POSTPROCESSOR(NnGuide, .name = "nnguide", .version = "1.0.0",
                      .summary = "energy guided by the nearest train images", .reference = "arXiv:2309.14888",
                      .needs = nearfar::kLogits | nearfar::kNormalizedFeatures | nearfar::kTrain, .params = kParams)
