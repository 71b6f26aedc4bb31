#pragma once
/// Share of right predictions. Pure function, safe from any thread.
#include <cstdint>
#include <span>

namespace nearfar {

/// Fraction in [0, 1] of the images whose predicted class is the label. Pool test and covariate-shifted images by
/// handing in both. Throws Error(data) if the lengths differ or there is nothing to count.
double accuracy(std::span<const std::int64_t> predicted, std::span<const std::int64_t> labels);

}  // namespace nearfar
