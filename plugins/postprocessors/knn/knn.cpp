// Distance to the k-th nearest train image on normalised features. Sun et al.
// 2022, arXiv:2204.06507.
#include "../../common/kth_neighbour.h"

NEARFAR_POSTPROCESSOR(nearfar::common::KthNeighbour, .name = "knn", .version = "1.0.0",
                      .summary = "squared distance to the k-th nearest train image, normalised features",
                      .reference = "arXiv:2204.06507", .needs = nearfar::common::KthNeighbour::kNeeds,
                      .params = nearfar::common::KthNeighbour::kParams, .sweep = nearfar::common::KthNeighbour::kSweep,
                      .tuned = true)
