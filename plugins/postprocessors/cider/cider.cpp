// CIDER's scorer. Ming et al. 2023, arXiv:2203.04450.
#include "../../common/kth_neighbour.h"

NEARFAR_POSTPROCESSOR(nearfar::common::KthNeighbour, .name = "cider", .version = "1.0.0",
                      .summary = "squared distance to the k-th nearest train image, normalised features",
                      .reference = "arXiv:2203.04450", .needs = nearfar::common::KthNeighbour::kNeeds,
                      .params = nearfar::common::KthNeighbour::kParams, .sweep = nearfar::common::KthNeighbour::kSweep,
                      .tuned = true)
