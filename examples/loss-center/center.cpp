// Cross-entropy plus the distance to a centre of each class. Wen, Zhang, Li and Qiao, ECCV 2016. SDK only, tier stable.
#include <nearfar/plugin.h>

#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/zeros.h>

namespace {

constexpr nearfar::Param kParams[] = {{"lambda", 0.003, 0.0, 1e4, "weight of the distance to the centres"},
                                      {"alpha", 0.5, 0.0, 1.0, "how far a centre goes towards its images in a step"}};

class Center final : public nearfar::Loss {
 public:
  explicit Center(const nearfar::Params& params) : lambda_(params.number("lambda")), alpha_(params.number("alpha")) {}

  static nearfar::LossTraits traits(const nearfar::Params&) {
    return {.views = 1, .head = nearfar::HeadKind::linear, .wants_features = true, .capturable = true};
  }

  void prepare(const nearfar::LossSetup& setup) override {
    const auto on_device = at::TensorOptions(at::kFloat).device(setup.device);
    centres_ = at::zeros({setup.classes, setup.feature_width}, on_device);
    classes_ = at::arange(setup.classes, on_device.dtype(at::kLong));
  }

  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,C], [N,D] -> []
    const at::Tensor apart = input.features.sub(centres_.index_select(0, input.labels));
    const at::Tensor pull = apart.square().sum(1).mean();
    const at::Tensor loss = at::cross_entropy_loss(input.output, input.labels).add(pull, lambda_ / 2);
    move_centres(input.features.detach().toType(centres_.scalar_type()), input.labels);
    return loss;
  }

  std::vector<nearfar::LossTensor> state() override { return {{"centres", centres_, false}}; }

 private:
  /// Eq. 4: c <- c - alpha * sum over its images of (c - h) / (1 + their number). No value is read, so that a step can
  /// be recorded (LossTraits::capturable). In place: the trainer holds on to this tensor.
  void move_centres(const at::Tensor& features, const at::Tensor& labels) {
    const at::Tensor own = labels.unsqueeze(0).eq(classes_.unsqueeze(1)).toType(features.scalar_type());  // [C,N]
    const at::Tensor count = own.sum(1, true);                                                            // [C,1]
    centres_.sub_(centres_.mul(count).sub(own.mm(features)).div(count.add(1)).mul(alpha_));
  }

  double lambda_, alpha_;
  at::Tensor centres_;  // [C,D] float32, zeros at first
  at::Tensor classes_;  // [C] int64: 0, 1, …
};

}  // namespace

NEARFAR_LOSS(Center, .name = "center", .version = "1.0.0",
             .summary = "cross-entropy and the distance to a centre of each class",
             .reference = "ECCV 2016: Wen et al., center loss", .params = kParams)
