// PALM's scorer. Lu et al. 2024, arXiv:2402.02653.
#include "../../common/normalized_mahalanobis.h"

NEARFAR_POSTPROCESSOR(nearfar::common::NormalizedMahalanobis, .name = "palm", .version = "1.0.0",
                      .summary = "Mahalanobis distance to the nearest class on normalised features",
                      .reference = "arXiv:2402.02653", .needs = nearfar::common::NormalizedMahalanobis::kNeeds)
