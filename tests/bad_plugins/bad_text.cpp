// A postprocessor whose descriptor is wrong in one line: built once for each (CMakeLists.txt).
#include "common.h"

#include <stdexcept>

#ifndef BAD_NAME
#define BAD_NAME "bad-text"
#endif
#ifndef BAD_VERSION
#define BAD_VERSION "1.0.0"
#endif
#ifndef BAD_SUMMARY
#define BAD_SUMMARY "breaks one promise"
#endif
#ifndef BAD_NEEDS
#define BAD_NEEDS nearfar::kLogits
#endif
#ifndef BAD_K
#define BAD_K 0
#endif

namespace {

constexpr nearfar::Param kParams[] = {{"k", 5, 1, 9, "a number that one of the plugins does not take"}};

class Text final : public nearfar::Postprocessor {
 public:
  explicit Text(const nearfar::Params& params) {
    if (params.integer("k") == BAD_K) throw std::runtime_error("it cannot be made with its own default");
  }
  at::Tensor score(const nearfar::FeatureBatch& batch) const override { return std::get<0>(batch.logits.max(1)).neg(); }
};

}  // namespace

NEARFAR_POSTPROCESSOR(Text, .name = BAD_NAME, .version = BAD_VERSION, .summary = BAD_SUMMARY, .reference = "none",
                      .needs = BAD_NEEDS, .params = kParams)
