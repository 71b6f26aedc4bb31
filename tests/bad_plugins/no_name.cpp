// Has no name.
#include "common.h"

NEARFAR_POSTPROCESSOR(nearfar::bad::Good, .version = "1.0.0", .needs = nearfar::kLogits)
