#pragma once
/// Which images of a source a set keeps. Shared by sets of files and of lists. Pure functions.
#include "data/image_set.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace nearfar {

struct Selection {
  std::vector<std::int64_t> picks;  ///< positions in the source, ascending, after the limit
  std::int64_t available = 0;       ///< how many there are before it
};

/// `label(i)` of `count` images. Error(data) for a number of images that the benchmark does not expect (image_set.h),
/// before the limit.
Selection select_images(const Benchmark& benchmark, const SetSpec& set, std::int64_t count,
                        const std::function<std::int64_t(std::int64_t)>& label, const LoadOptions& options);

/// Classes of the benchmark for the picked images: -1 outside of id and csid sets; for `classes` the position in it;
/// else the label itself, where `refuse(i, label)` is called for one that is not in 0 … C-1 and must throw.
std::vector<std::int64_t> classes_of(const Benchmark& benchmark, const SetSpec& set,
                                     const std::vector<std::int64_t>& picks,
                                     const std::function<std::int64_t(std::int64_t)>& label,
                                     const std::function<void(std::int64_t, std::int64_t)>& refuse);

}  // namespace nearfar
