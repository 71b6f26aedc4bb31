// Throws what the parameter says, where the parameter says: each kind of exception that a plugin can meet.
#include "common.h"

#include <c10/util/Exception.h>

#include <stdexcept>

namespace {

constexpr nearfar::Param kParams[] = {{"what", "std", "std|torch|nearfar|number|none", "which exception"},
                                      {"call", "score", "create|fit|score", "in which call"}};

struct Hidden : std::runtime_error {  // known to this library only
  using std::runtime_error::runtime_error;
};

class Throws final : public nearfar::bad::Good {
 public:
  explicit Throws(const nearfar::Params& params)
      : Good(params), what_(params.text("what")), call_(params.text("call")) {
    fail_in("create");
  }
  void fit(const nearfar::FitContext&) override { fail_in("fit"); }
  at::Tensor score(const nearfar::FeatureBatch& batch) const override {
    fail_in("score");
    return Good::score(batch);
  }

 private:
  void fail_in(const char* call) const {
    if (call_ != call) return;
    if (what_ == "std") throw Hidden("a private exception");
    if (what_ == "torch") TORCH_CHECK(false, "a check of LibTorch");
    if (what_ == "nearfar") throw nearfar::Error(nearfar::ErrorKind::config, "a person can fix this");
    if (what_ == "number") throw 42;
  }

  std::string what_, call_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Throws, .name = "throws", .version = "1.0.0", .needs = nearfar::kLogits, .params = kParams)
