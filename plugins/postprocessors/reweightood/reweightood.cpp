// ReweightOOD's scorer. Regmi et al. 2024, CVPR workshops.
#include "../../common/normalized_mahalanobis.h"

NEARFAR_POSTPROCESSOR(nearfar::common::NormalizedMahalanobis, .name = "reweightood", .version = "1.0.0",
                      .summary = "Mahalanobis distance to the nearest class on normalised features",
                      .reference = "CVPR workshops 2024: Regmi et al., ReweightOOD",
                      .needs = nearfar::common::NormalizedMahalanobis::kNeeds)
