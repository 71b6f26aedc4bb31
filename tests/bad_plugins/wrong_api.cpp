// Says that it was made for another version of the plugin API.
#include "common.h"

#undef NEARFAR_API_VERSION
#define NEARFAR_API_VERSION 999
NEARFAR_POSTPROCESSOR(nearfar::bad::Good, .name = "wrong-api", .version = "1.0.0", .needs = nearfar::kLogits)
