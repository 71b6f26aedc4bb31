#pragma once
/// The last linear layer of an exported classifier. Internal to models/exported.
#include "models/exported/program.h"

namespace nearfar::exported {

/// logits = feature · weightᵀ + bias. Without one: `feature` is kNoValue and the tensors are undefined.
struct Head {
  ValueId feature = kNoValue;  ///< [N,D]
  at::Tensor weight = {};      ///< [C,D]
  at::Tensor bias = {};        ///< [C]; zeros where the layer has none
};

/// The layer is found by looking back from the logits: linear, addmm or mm with constant weights, after it nothing that
/// changes a number.
Head find_head(const Program& program);

}  // namespace nearfar::exported
