// The default of a parameter lies outside its range.
#include "common.h"

namespace {
constexpr nearfar::Param kParams[] = {{"k", 5, 1, 9, "fine"}, {"percentile", 190.0, 0.0, 100.0, "not fine"}};
}
NEARFAR_POSTPROCESSOR(nearfar::bad::Good, .name = "wrong-params", .version = "1.0.0", .needs = nearfar::kLogits,
                      .params = kParams)
