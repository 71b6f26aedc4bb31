// Says that it was built with another LibTorch.
#undef NEARFAR_TORCH_VERSION
#define NEARFAR_TORCH_VERSION "1.0.0"
#include "common.h"

NEARFAR_POSTPROCESSOR(nearfar::bad::Good, .name = "wrong-tag", .version = "1.0.0", .needs = nearfar::kLogits)
