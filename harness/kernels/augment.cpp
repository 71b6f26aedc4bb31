// The operators, their CPU kernels and the functions that call them, in one file: whoever calls augment() has linked
// the registration too, which a linker would otherwise leave out of a static library. Compiled with -ffp-contract=off.
#include "kernels/augment.h"

#include "kernels/augment_job.h"
#include "kernels/composite.h"

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/full.h>
#include <torch/library.h>

#include <array>

namespace nearfar {
namespace {

constexpr const char* kAugmentSchema =
    "augment(Tensor pixels, Tensor indices, Tensor table, Tensor epoch, int seed, int views, int shift, "
    "float smallest_crop, bool flip, float[] jitter, float jitter_share, float gray_share) -> Tensor";
constexpr const char* kNormalizeSchema = "normalize(Tensor pixels, Tensor table) -> Tensor";

using AugmentOperator = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                   std::int64_t, std::int64_t, std::int64_t, double, bool, c10::ArrayRef<double>,
                                   double, double);
using NormalizeOperator = at::Tensor(const at::Tensor&, const at::Tensor&);

void augment_image(const AugmentJob& job, std::int64_t which) {
  const augmentation::Draw d = augment_draw(job, which);
  const std::uint8_t* image = augment_source(job, which);
  const std::int32_t area = job.height * job.width;
  float* out = job.out + which * area * job.channels;
  std::int64_t gray_sum = 0;
  if (augment_needs_mean(job, d)) {
    for (std::int32_t at = 0; at < area; ++at) gray_sum += augment_gray(job, d, image, at);
  }
  for (std::int32_t at = 0; at < area; ++at) augment_pixel(job, d, image, gray_sum, at, out);
}

at::Tensor augment_cpu(const AugmentArguments& a) {
  check_augment(a);
  at::Tensor out = image_batch(a.views * a.indices.size(0), a.pixels, a.table);
  const AugmentJob job = augment_job(a, out);
  for (std::int64_t i = 0; i < job.rows; ++i) {
    TORCH_CHECK_INDEX(0 <= job.indices[i] && job.indices[i] < job.count, "image ", job.indices[i], " of ", job.count);
  }
  at::parallel_for(0, out.size(0), 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t which = first; which < last; ++which) augment_image(job, which);
  });
  return out;
}

at::Tensor normalize_cpu(const at::Tensor& pixels, const at::Tensor& table) {
  check_normalize(pixels, table);
  at::Tensor out = image_batch(pixels.size(0), pixels, table);
  const NormalizeJob job = normalize_job(pixels, table, out);
  constexpr std::int64_t kGrain = 1 << 16;
  at::parallel_for(0, job.bytes / job.channels, kGrain / job.channels, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t pixel = first; pixel < last; ++pixel) {
      for (std::int32_t c = 0; c < job.channels; ++c) normalize_byte(job, pixel * job.channels + c, c);
    }
  });
  return out;
}

/// The operator's arguments by name.
template <at::Tensor (*body)(const AugmentArguments&)>
at::Tensor with_names(const at::Tensor& pixels, const at::Tensor& indices, const at::Tensor& table,
                      const at::Tensor& epoch, std::int64_t seed, std::int64_t views, std::int64_t shift,
                      double smallest_crop, bool flip, c10::ArrayRef<double> jitter, double jitter_share,
                      double gray_share) {
  return body(
      {pixels, indices, table, epoch, seed, views, shift, smallest_crop, flip, jitter, jitter_share, gray_share});
}

}  // namespace

at::Tensor augment(const at::Tensor& pixels, const at::Tensor& indices, const at::Tensor& table,
                   const AugmentRecipe& recipe, std::uint64_t seed, const at::Tensor& epoch) {
  static const auto call =
      c10::Dispatcher::singleton().findSchemaOrThrow("nearfar::augment", "").typed<AugmentOperator>();
  const Jitter& j = recipe.jitter;
  const std::array<double, 4> jitter{j.brightness, j.contrast, j.saturation, j.hue};
  return call.call(pixels, indices, table, epoch, static_cast<std::int64_t>(seed), recipe.views, recipe.shift,
                   recipe.smallest_crop, recipe.flip, jitter, recipe.jitter_share, recipe.gray_share);
}

at::Tensor augment(const at::Tensor& pixels, const at::Tensor& indices, const at::Tensor& table,
                   const AugmentRecipe& recipe, std::uint64_t seed, std::int64_t epoch) {
  return augment(pixels, indices, table, recipe, seed, at::full({}, epoch, indices.options().dtype(at::kLong)));
}

at::Tensor normalize(const at::Tensor& pixels, const at::Tensor& table) {
  static const auto call =
      c10::Dispatcher::singleton().findSchemaOrThrow("nearfar::normalize", "").typed<NormalizeOperator>();
  return call.call(pixels, table);
}

}  // namespace nearfar

TORCH_LIBRARY(nearfar, library) {
  library.def(nearfar::kAugmentSchema);
  library.def(nearfar::kNormalizeSchema);
}
TORCH_LIBRARY_IMPL(nearfar, CPU, library) {
  library.impl("augment", &nearfar::with_names<nearfar::augment_cpu>);
  library.impl("normalize", &nearfar::normalize_cpu);
}
TORCH_LIBRARY_IMPL(nearfar, CompositeExplicitAutograd, library) {
  library.impl("augment", &nearfar::with_names<nearfar::composite::augment>);
  library.impl("normalize", &nearfar::composite::normalize);
}
