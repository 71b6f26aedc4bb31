#include "host/c_network.h"

#include "kernels/tensor_handle.h"

#include <nearfar/error.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string>

namespace nearfar {
namespace {

template <class Body>
std::int32_t guarded(nearfar_error* error, Body&& body) noexcept {
  const auto fail = [&](std::int32_t status, const char* text) {
    if (error != nullptr && error->text != nullptr && error->capacity > 0) {
      const std::size_t length = std::min<std::size_t>(std::strlen(text), error->capacity - 1);
      std::memcpy(error->text, text, length);
      error->text[length] = '\0';
    }
    return status;
  };
  try {
    body();
    return NEARFAR_OK;
  } catch (const Error& thrown) {
    return fail(thrown.kind() == ErrorKind::data ? NEARFAR_ERROR_DATA : NEARFAR_ERROR_PLUGIN, thrown.what());
  } catch (const std::bad_alloc& thrown) {
    return fail(NEARFAR_ERROR_MEMORY, thrown.what());
  } catch (const std::exception& thrown) {
    return fail(NEARFAR_ERROR_PLUGIN, thrown.what());
  } catch (...) {
    return fail(NEARFAR_ERROR_PLUGIN, "an exception that is not a std::exception");
  }
}

at::Tensor get(NetworkBatch& batch, std::int32_t what, std::int64_t index) {
  switch (what) {
    case NEARFAR_GET_IMAGES:
      return batch.images();
    case NEARFAR_GET_FEATURES:
      return batch.features();
    case NEARFAR_GET_LOGITS:
      return batch.logits();
    case NEARFAR_GET_MAP:
      return batch.map(index);
    case NEARFAR_GET_LAYER:
      return batch.layers().at(static_cast<std::size_t>(index));
    default:
      throw Error(ErrorKind::plugin, "the network has no such tensor: " + std::to_string(what));
  }
}

}  // namespace

CNetwork::CNetwork(NetworkBatch& batch, Needs needs) : batch_(batch), needs_(needs) {
  const bool has_maps = (needs & kMapStatistics) != 0;
  given_ = {};
  given_.struct_size = sizeof given_;
  given_.stages = has_maps ? static_cast<std::int32_t>(batch.stages()) : 0;
  given_.context = this;
  given_.pixel_std = batch.pixel_std().data();
  given_.channels = static_cast<std::uint32_t>(batch.pixel_std().size());
  given_.layer_count = has_maps ? static_cast<std::uint32_t>(batch.layers().size()) : 0;
  given_.get = [](void* context, std::int32_t what, std::int64_t index, void** tensor, nearfar_error* error) {
    return guarded(error, [&] { *tensor = new_handle(nearfar::get(of(context).batch_, what, index)); });
  };
  given_.forward = [](void* context, void* images, void** features, void** logits, nearfar_error* error) {
    return guarded(error, [&] {
      const NetworkBatch::Outputs made = of(context).batch_.forward(tensor_of_handle(images));
      *features = new_handle(made.features);
      *logits = new_handle(made.logits);
    });
  };
  given_.forward_to = [](void* context, std::int64_t stage, void* images, void** map, nearfar_error* error) {
    return guarded(error, [&] { *map = new_handle(of(context).batch_.forward_to(stage, tensor_of_handle(images))); });
  };
  given_.forward_from = [](void* context, std::int64_t stage, void* map, void** features, void** logits,
                           nearfar_error* error) {
    return guarded(error, [&] {
      const NetworkBatch::Outputs made = of(context).batch_.forward_from(stage, tensor_of_handle(map));
      *features = new_handle(made.features);
      *logits = new_handle(made.logits);
    });
  };
  given_.logit_gradient = [](void* context, void* direction, void** gradient, nearfar_error* error) {
    return guarded(error,
                   [&] { *gradient = new_handle(of(context).batch_.logit_gradient(tensor_of_handle(direction))); });
  };
  given_.map_gradient = [](void* context, std::int64_t stage, void* direction, void** gradient, nearfar_error* error) {
    return guarded(
        error, [&] { *gradient = new_handle(of(context).batch_.map_gradient(stage, tensor_of_handle(direction))); });
  };
  given_.in_float64 = [](void* context, const nearfar_network** network, nearfar_error* error) {
    return guarded(error, [&] {
      CNetwork& self = of(context);
      if (!self.exact_) self.exact_ = std::make_unique<CNetwork>(self.batch_.in_float64(), self.needs_);
      *network = &self.exact_->given();
    });
  };
}

}  // namespace nearfar
