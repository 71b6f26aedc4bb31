// KL matching. Hendrycks et al. 2022, arXiv:1911.11132.
#include <nearfar/plugin.h>

#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

namespace {

class Klm final : public nearfar::Postprocessor {
 public:
  explicit Klm(const nearfar::Params&) {}

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor p = at::softmax(context.val.logits, 1);  // float32, as the reference has it
    if (p.size(0) == 0) throw nearfar::Error(nearfar::ErrorKind::data, "there are no validation images to fit on");
    const std::int64_t classes = p.size(1);
    const at::Tensor predicted = context.val.logits.argmax(1), counts = predicted.bincount({}, classes);
    at::Tensor templates =
        at::zeros({classes, classes}, p.options().dtype(at::kDouble)).index_add_(0, predicted, p.toType(at::kDouble));
    templates.div_(counts.clamp_min(1).unsqueeze(1));
    // A class that is never predicted has the one-hot template, which is infinitely far from everything but itself.
    templates.diagonal().masked_fill_(counts.eq(0), 1);
    log_templates_ =
        templates.div(templates.sum(1, true)).log().clamp_min(-1e30);  // log 0: so far that no other class loses to it
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C] -> [N]
    at::Tensor p = at::softmax(batch.logits, 1).toType(at::kDouble);
    p = p.div(p.sum(1, true));
    // sum_j p_j (log p_j - log d_kj), smallest over k: the first part is the same for every k, the second is a GEMM.
    const at::Tensor negentropy = p.mul(p.clamp_min(1e-300).log()).sum(1);
    return negentropy.sub(p.mm(log_templates_.t()).amax(1)).clamp_max(1e30).toType(at::kFloat);
  }

 private:
  at::Tensor log_templates_;  // [C,C] float64: row k is log of the mean probabilities of images predicted as k
};

}  // namespace

NEARFAR_POSTPROCESSOR(Klm, .name = "klm", .version = "1.0.0",
                      .summary = "divergence from the nearest class's mean probabilities",
                      .reference = "arXiv:1911.11132", .needs = nearfar::kLogits | nearfar::kValidation)
