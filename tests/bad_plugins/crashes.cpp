// Ends its process where the parameter says, as a plugin with a wild pointer does.
#include "common.h"

#include <csignal>

namespace {

constexpr nearfar::Param kParams[] = {{"call", "score", "observe|fit|score", "in which call"}};

class Crashes final : public nearfar::bad::Good {
 public:
  explicit Crashes(const nearfar::Params& params) : Good(params), call_(params.text("call")) {}
  at::Tensor observe(nearfar::NetworkBatch& batch) const override {
    crash_in("observe");
    return batch.logits();
  }
  void fit(const nearfar::FitContext&) override { crash_in("fit"); }
  at::Tensor score(const nearfar::FeatureBatch& batch) const override {
    crash_in("score");
    return batch.observed.sum(1);
  }

 private:
  void crash_in(const char* call) const {
    if (call_ == call) std::raise(SIGSEGV);
  }

  std::string call_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Crashes, .name = "crashes", .version = "1.0.0",
                      .needs = nearfar::kLogits | nearfar::kMapStatistics, .params = kParams)
