#pragma once
/// What a network's head gives for a loss, by the loss's traits. One thread; on the network's device.
#include "models/network.h"

#include <nearfar/features.h>
#include <nearfar/loss.h>

namespace nearfar {

/// LossInput::output of raw features [N,D]: [N,C] or [N,E] float32.
at::Tensor loss_output(Network& network, const at::Tensor& features, const LossTraits& traits);

/// What Loss::start() is given, [C,W] float32: the mean of loss_output() over each class's images, given by
/// their raw features, in evaluation mode and without gradients (both restored). Summed on the host in float64, in one
/// order on every device. The labels must be 0 … C-1.
at::Tensor class_means(Network& network, const LossTraits& traits, const FeatureBatch& images);

}  // namespace nearfar
