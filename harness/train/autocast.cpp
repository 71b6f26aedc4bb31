#include "train/autocast.h"

#include "base/error.h"

#include <ATen/autocast_mode.h>

namespace nearfar {

Autocast::Autocast(at::Device device, std::string_view dtype)
    : type_(device.type()), on_(dtype == "bfloat16"), before_(at::autocast::is_autocast_enabled(type_)) {
  NEARFAR_ASSERT(on_ || dtype == "float32");
  if (!on_) return;
  at::autocast::set_autocast_dtype(type_, at::kBFloat16);
  at::autocast::set_autocast_enabled(type_, true);
  // Every weight is used once a step, and a copy that outlived a captured step would be of other weights.
  at::autocast::set_autocast_cache_enabled(false);
  at::autocast::increment_nesting();
}

Autocast::~Autocast() {
  if (!on_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_cache_enabled(true);
  at::autocast::set_autocast_enabled(type_, before_);
}

}  // namespace nearfar
