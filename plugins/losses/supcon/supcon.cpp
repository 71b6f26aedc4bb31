// Supervised contrastive loss, the "out" form. Khosla et al. 2020, arXiv:2004.11362, eq. 2.
#include <nearfar/contrastive.h>
#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {
    {"temperature", 0.1, 1e-4, 1e4, "divides the similarities"},
    {"base_temperature", 0.07, 1e-4, 1e4, "the loss is scaled by temperature / base_temperature"}};

class SupCon final : public nearfar::Loss {
 public:
  explicit SupCon(const nearfar::Params& params)
      : temperature_(params.number("temperature")), base_temperature_(params.number("base_temperature")) {}

  static nearfar::LossTraits traits(const nearfar::Params&) {
    return {.views = 2, .head = nearfar::HeadKind::embedding, .normalized_embedding = true, .capturable = true};
  }

  void prepare(const nearfar::LossSetup& setup) override { classes_ = setup.classes; }

  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,E] -> []
    return nearfar::supervised_contrastive(input.output, input.labels, temperature_, base_temperature_,
                                           /*largest=*/1, classes_);
  }

 private:
  double temperature_, base_temperature_;
  std::int64_t classes_ = 0;
};

}  // namespace

NEARFAR_LOSS(SupCon, .name = "supcon", .version = "1.1.0", .summary = "supervised contrastive loss over two views",
             .reference = "arXiv:2004.11362", .params = kParams)
