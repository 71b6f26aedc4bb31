#pragma once
/// What family of networks tensors belong to, with its depth and width, told from names and shapes. Internal to
/// models/. Pure functions.
#include "models/named_tensor.h"

#include <string>
#include <vector>

namespace nearfar {

/// "a ResNet-152 of bottleneck blocks (3-8-36-3) with a 7x7 stem", for the families that the field uses: ResNets of any
/// names of their shortcut, WRNs, DenseNets, ViTs (torchvision's and timm's names); "" for others. Names without
/// prefixes.
std::string family_text(const std::vector<NamedTensor>& tensors);

}  // namespace nearfar
