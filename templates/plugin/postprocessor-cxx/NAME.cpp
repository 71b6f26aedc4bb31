// <%name%>: what it scores by, in a line. Author and year, arXiv:NNNN.NNNNN.
#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {{"temperature", 1.0, 1e-3, 1e6, "softmax temperature T"}};

class <%class%> final : public nearfar::Postprocessor {
 public:
  explicit <%class%>(const nearfar::Params& params) : temperature_(params.number("temperature")) {}

  // YOUR FORMULA. One score for each row, higher = more out-of-distribution; here -T logsumexp(logits / T).
  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C] -> [N]
    return batch.logits.div(temperature_).logsumexp(1).mul(-temperature_);
  }

 private:
  double temperature_;
};

}  // namespace

// Count the version up whenever scores change: results of another version are other results.
NEARFAR_POSTPROCESSOR(<%class%>, .name = "<%name%>", .version = "0.1.0", .summary = "free energy of the logits",
                      .reference = "none", .needs = nearfar::kLogits, .params = kParams)
