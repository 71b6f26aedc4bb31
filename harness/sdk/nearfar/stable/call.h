#pragma once
/// One operator of LibTorch by name, through the boxed dispatcher of its stable C shim: what every wrapper of
/// stable/tensor.h is made of. An operator keeps its gradient. Any thread. Of LibTorch's headers only the C ones are
/// included: a plugin compiles in about a second.
///
/// An argument becomes what the operator's schema says: Tensor, double (float), std::int64_t (int), bool, ScalarType,
/// IntArrayRef (int[]), std::vector<Tensor> (Tensor[]), std::string (str), std::optional of these where the schema has
/// a '?'. There is no way to pass a Scalar: take the overload with a Tensor (stable/tensor.h does).
/// Error(plugin) where LibTorch refuses: names the operator and the shapes; LibTorch's own words are on stderr.
#include <nearfar/error.h>
#include <nearfar/stable/types.h>

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/inductor/aoti_torch/generated/c_shim_aten.h>
#include <torch/csrc/stable/c/shim.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace at {
inline namespace nearfar_stable {

class Tensor;

}  // namespace nearfar_stable
}  // namespace at

namespace nearfar::stable {

using Handle = AtenTensorHandle;

// Errors are thrown by functions of their own, which are not inlined into each call: there are many, and to optimise
// what is not run costs every plugin compile time.
[[noreturn]] [[gnu::cold]] [[gnu::noinline]] inline void refused(const std::string& what) {
  throw Error(ErrorKind::plugin, "LibTorch refused " + what + "; its own words are in the log");
}
[[noreturn]] [[gnu::cold]] [[gnu::noinline]] inline void refused(const char* what) { refused(std::string(what)); }

[[noreturn]] [[gnu::cold]] [[gnu::noinline]] inline void undefined() {
  throw Error(ErrorKind::plugin, "a tensor is used that is not defined");
}

/// A new owning handle of the same tensor.
inline Handle share(Handle handle) {
  Handle shared = nullptr;
  if (aoti_torch_new_tensor_handle(handle, &shared) != 0) refused("to share a tensor");
  return shared;
}

inline std::int32_t code_of(at::ScalarType type) {
  using at::ScalarType;
  switch (type) {
    case ScalarType::Byte:
      return aoti_torch_dtype_uint8();
    case ScalarType::Int:
      return aoti_torch_dtype_int32();
    case ScalarType::Long:
      return aoti_torch_dtype_int64();
    case ScalarType::Half:
      return aoti_torch_dtype_float16();
    case ScalarType::Double:
      return aoti_torch_dtype_float64();
    case ScalarType::Bool:
      return aoti_torch_dtype_bool();
    case ScalarType::BFloat16:
      return aoti_torch_dtype_bfloat16();
    case ScalarType::Float:
      break;
  }
  return aoti_torch_dtype_float32();
}
inline at::ScalarType type_of(std::int32_t code) {
  using at::ScalarType;
  for (const ScalarType type : {ScalarType::Float, ScalarType::Double, ScalarType::Long, ScalarType::Bool,
                                ScalarType::Int, ScalarType::BFloat16, ScalarType::Half, ScalarType::Byte}) {
    if (code_of(type) == code) return type;
  }
  throw Error(ErrorKind::plugin, "a tensor of a dtype that the stable tier has no name for: " + std::to_string(code));
}
inline const char* name_of(at::ScalarType type) {
  constexpr const char* kNames[] = {"Byte", "Int", "Long", "Half", "Float", "Double", "Bool", "BFloat16"};
  return kNames[static_cast<std::size_t>(type)];
}
inline std::int32_t code_of(const at::Device& device) {
  if (device.code >= 0) return device.code;
  return device.is_cpu() ? aoti_torch_device_type_cpu() : aoti_torch_device_type_cuda();
}
inline at::Device device_of(std::int32_t code, std::int32_t index) {
  at::Device device(code == aoti_torch_device_type_cpu()    ? at::DeviceType::CPU
                    : code == aoti_torch_device_type_cuda() ? at::DeviceType::CUDA
                                                            : at::DeviceType::Other,
                    index);
  device.code = code;
  return device;
}

Handle handle_of(const at::Tensor& tensor);
at::Tensor own(Handle handle);
/// "[3,4] Float", "none". For errors.
[[gnu::cold]] std::string text_of(const at::Tensor& tensor);

namespace detail {

/// A value in the dispatcher's 64 bits: its bytes first, on the little-endian machines there are.
template <class T>
StableIValue bits(T value) {
  static_assert(sizeof(T) <= sizeof(StableIValue));
  StableIValue packed = 0;
  std::memcpy(&packed, &value, sizeof value);
  return packed;
}
[[gnu::noinline]] inline StableIValue pack(const at::Tensor& tensor) { return bits(share(handle_of(tensor))); }
inline StableIValue pack(bool value) { return bits(value); }
inline StableIValue pack(double value) { return bits(value); }
inline StableIValue pack(std::int64_t value) { return bits(value); }
inline StableIValue pack(at::ScalarType value) { return bits(code_of(value)); }
inline StableIValue pack(std::nullopt_t) { return 0; }
inline StableIValue pack(const char* text) {
  StringHandle made = nullptr;
  if (torch_new_string_handle(text, std::strlen(text), &made) != 0) throw std::bad_alloc();
  return bits(made);
}
inline StableIValue pack(const std::string& text) { return pack(text.c_str()); }
template <class Sequence>
StableIValue pack_list(const Sequence& sequence) {
  StableListHandle made = nullptr;
  if (torch_new_list_reserve_size(sequence.size(), &made) != 0) throw std::bad_alloc();
  for (const auto& element : sequence) {
    if (torch_list_push_back(made, pack(element)) != 0) throw std::bad_alloc();
  }
  return bits(made);
}
inline StableIValue pack(at::IntArrayRef list) { return pack_list(list); }
inline StableIValue pack(const std::vector<at::Tensor>& list);
template <class T>
StableIValue pack(const std::optional<T>& value) {
  if (!value) return pack(std::nullopt);
  return bits(new StableIValue(pack(*value)));  // the callee deletes it
}

/// The argument where it is a tensor: what an error tells the shape of.
inline const at::Tensor* tensor_in(const at::Tensor& argument) { return &argument; }
template <class T>
const at::Tensor* tensor_in(const T& /*argument*/) {
  return nullptr;
}
[[noreturn]] [[gnu::cold]] [[gnu::noinline]] inline void refuse(const char* name, const char* overload,
                                                                const at::Tensor* const* tensors, std::size_t count) {
  std::string shapes;
  for (std::size_t i = 0; i < count; ++i) {
    if (tensors[i] != nullptr) shapes += (shapes.empty() ? "" : ", ") + text_of(*tensors[i]);
  }
  refused(std::string(name) + (*overload != '\0' ? "." : "") + overload + " of " +
          (shapes.empty() ? "no tensor" : shapes));
}
/// Arguments in, results out; `tensors` [count] as tensor_in() gives them.
[[gnu::noinline]] inline void dispatch(const char* name, const char* overload, StableIValue* stack,
                                       const at::Tensor* const* tensors, std::size_t count) {
  if (torch_call_dispatcher(name, overload, stack, TORCH_ABI_VERSION) != 0) refuse(name, overload, tensors, count);
}

/// Calls `name`; its R results, all tensors, which the caller owns.
template <std::size_t R, class... Arguments>
[[gnu::noinline]] std::array<Handle, R> results(const char* name, const char* overload, const Arguments&... arguments) {
  constexpr std::size_t kCount = sizeof...(Arguments);
  StableIValue stack[kCount > R ? kCount : R] = {pack(arguments)...};
  const at::Tensor* const tensors[kCount + 1] = {tensor_in(arguments)...};
  dispatch(name, overload, stack, tensors, kCount);
  std::array<Handle, R> handles;
  for (std::size_t i = 0; i < R; ++i) std::memcpy(&handles[i], &stack[i], sizeof handles[i]);
  return handles;
}

}  // namespace detail

/// Calls `name` ("aten::mm"), whose one result is a tensor: an at::Tensor (which is not complete here).
template <class... Arguments>
auto call(const char* name, const char* overload, const Arguments&... arguments) {
  return own(detail::results<1>(name, overload, arguments...)[0]);
}

/// Calls `name` ("aten::topk"), whose two results are tensors: an std::tuple of two.
template <class... Arguments>
auto call_pair(const char* name, const char* overload, const Arguments&... arguments) {
  const auto both = detail::results<2>(name, overload, arguments...);
  return std::tuple(own(both[0]), own(both[1]));
}

}  // namespace nearfar::stable
