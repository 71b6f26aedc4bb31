#pragma once
/// The functions of namespace at that go with stable/tensor.h, with LibTorch's names and meaning.
#include <nearfar/stable/tensor.h>

// No <algorithm>, <atomic> or <memory> in these headers: they cost each plugin a fifth of a second.
#include <exception>

namespace nearfar::stable {

inline Handle handle_of(const at::Tensor& tensor) {
  if (!tensor.defined()) undefined();
  return tensor.get();
}
inline at::Tensor own(Handle handle) { return at::Tensor(handle); }
inline std::string text_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return "none";
  std::string text = "[";
  for (const std::int64_t size : tensor.sizes()) text += (text.size() > 1 ? "," : "") + std::to_string(size);
  return text + "] " + name_of(tensor.scalar_type());
}
inline StableIValue detail::pack(const std::vector<at::Tensor>& list) { return pack_list(list); }

}  // namespace nearfar::stable

namespace at {
inline namespace nearfar_stable {

using TensorList = std::vector<Tensor>;

/// The strides of a contiguous tensor.
inline std::vector<std::int64_t> packed(IntArrayRef shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * (shape[i] > 1 ? shape[i] : 1);
  return strides;
}

inline Tensor empty(IntArrayRef shape, const TensorOptions& options = {}) {
  nearfar::stable::Handle made = nullptr;
  if (aoti_torch_empty_strided(static_cast<std::int64_t>(shape.size()), shape.data(), packed(shape).data(),
                               nearfar::stable::code_of(options.type), nearfar::stable::code_of(options.place),
                               options.place.index(), &made) != 0) {
    nearfar::stable::refused("a new tensor");
  }
  const Tensor result(made);
  if (options.gradient) result.set_requires_grad(true);
  return result;
}
inline Tensor Tensor::new_empty(IntArrayRef shape, const TensorOptions& options) const { return empty(shape, options); }
inline Tensor zeros(IntArrayRef shape, const TensorOptions& options = {}) { return empty(shape, options).zero_(); }
inline Tensor full(IntArrayRef shape, Scalar value, const TensorOptions& options = {}) {
  return empty(shape, options).fill_(value);
}
inline Tensor ones(IntArrayRef shape, const TensorOptions& options = {}) { return full(shape, 1, options); }
inline Tensor empty_like(const Tensor& like) { return empty(like.sizes(), like.options()); }
inline Tensor zeros_like(const Tensor& like) { return zeros(like.sizes(), like.options()); }
inline Tensor ones_like(const Tensor& like) { return ones(like.sizes(), like.options()); }
inline Tensor full_like(const Tensor& like, Scalar value) { return full(like.sizes(), value, like.options()); }

/// Memory of the caller's, which must outlive the tensor.
inline Tensor from_blob(void* data, IntArrayRef shape, const TensorOptions& options = {}) {
  nearfar::stable::Handle made = nullptr;
  if (torch_from_blob(data, static_cast<std::int64_t>(shape.size()), shape.data(), packed(shape).data(), 0,
                      nearfar::stable::code_of(options.type), nearfar::stable::code_of(options.place),
                      options.place.index(), &made, aoti_torch_layout_strided(), nullptr, 0, nullptr, nullptr) != 0) {
    nearfar::stable::refused("a tensor over memory of the plugin's");
  }
  return Tensor(made);
}

/// first, first + step, … before `end`; step is not 0.
inline Tensor arange(std::int64_t first, std::int64_t end, std::int64_t step, const TensorOptions& options = kLong) {
  std::vector<std::int64_t> values;
  for (std::int64_t value = first; step > 0 ? value < end : value > end; value += step) values.push_back(value);
  return from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, kLong).clone().to(options);
}
inline Tensor arange(std::int64_t first, std::int64_t end, const TensorOptions& options = kLong) {
  return arange(first, end, 1, options);
}
inline Tensor arange(std::int64_t end, const TensorOptions& options = kLong) { return arange(0, end, options); }
inline Tensor eye(std::int64_t size, const TensorOptions& options = {}) {
  return zeros({size, size}, options).fill_diagonal_(1);
}

inline Tensor cat(const TensorList& parts, std::int64_t dimension = 0) {
  return nearfar::stable::call("aten::cat", "", parts, dimension);
}
inline Tensor stack(const TensorList& parts, std::int64_t dimension = 0) {
  return nearfar::stable::call("aten::stack", "", parts, dimension);
}
inline Tensor where(const Tensor& condition, const Tensor& yes, const Tensor& no) { return yes.where(condition, no); }
inline Tensor mm(const Tensor& a, const Tensor& b) { return a.mm(b); }
inline Tensor& mm_out(Tensor& out, const Tensor& a, const Tensor& b) {
  nearfar::stable::call("aten::mm", "out", a, b, out);
  return out;
}
inline Tensor matmul(const Tensor& a, const Tensor& b) { return a.matmul(b); }
/// `added` + a b
inline Tensor addmm(const Tensor& added, const Tensor& a, const Tensor& b) {
  if (added.dim() != 1) return a.mm(b).add(added);
  return nearfar::stable::call("aten::linear", "", a, b.t(), std::optional<Tensor>(added));
}
inline Tensor maximum(const Tensor& a, const Tensor& b) { return a.maximum(b); }
inline Tensor minimum(const Tensor& a, const Tensor& b) { return a.minimum(b); }
inline Tensor& minimum_out(Tensor& out, const Tensor& a, const Tensor& b) {
  nearfar::stable::call("aten::minimum", "out", a, b, out);
  return out;
}
/// What is not above `threshold` becomes `value`.
inline const Tensor& threshold_(const Tensor& of, Scalar threshold, Scalar value) {
  return of.masked_fill_(of.le(threshold), value);
}
inline Tensor logaddexp(const Tensor& a, const Tensor& b) { return a.op("aten::logaddexp", "", b); }
inline Tensor softmax(const Tensor& of, std::int64_t dimension, std::optional<ScalarType> type = {}) {
  return of.softmax(dimension, type);
}
inline Tensor log_softmax(const Tensor& of, std::int64_t dimension, std::optional<ScalarType> type = {}) {
  return of.log_softmax(dimension, type);
}
/// Mean over the rows; `target` [N] int64, or [N,C] of soft ones.
inline Tensor cross_entropy_loss(const Tensor& logits, const Tensor& target) {
  return logits.op("aten::cross_entropy_loss", "", target, std::optional<Tensor>(), std::int64_t{1}, std::int64_t{-100},
                   0.0);
}
inline std::tuple<Tensor, Tensor> linalg_eigh(const Tensor& of) {
  return nearfar::stable::call_pair("aten::linalg_eigh", "", of, "L");
}
inline Tensor linalg_pinv(const Tensor& of, double rcond) { return of.op("aten::linalg_pinv", "", rcond, false); }
inline Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool /*out_int32*/ = false, bool right = false) {
  return nearfar::stable::call("aten::searchsorted", "Tensor", sorted, values, false, right,
                               std::optional<std::string>(), std::optional<Tensor>());
}

/// body(begin, end) for parts of [begin, end) on LibTorch's threads.
template <class Body>
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain, const Body& body) {
  struct Call {
    const Body& body;
    bool failed = false;
    std::exception_ptr failure = {};
  } call{body};
  const ParallelFunc run = [](std::int64_t from, std::int64_t to, void* context) {
    Call& its = *static_cast<Call*>(context);
    try {
      its.body(from, to);
    } catch (...) {
      if (!__atomic_test_and_set(&its.failed, __ATOMIC_ACQ_REL))
        its.failure = std::current_exception();  // one of them is enough
    }
  };
  if (torch_parallel_for(begin, end, grain, run, &call) != 0 && !call.failure)
    throw nearfar::Error(nearfar::ErrorKind::plugin, "LibTorch refused parallel_for");
  if (call.failure) std::rethrow_exception(call.failure);
}
inline int get_num_threads() {
  std::uint32_t threads = 1;
  torch_get_num_threads(&threads);
  return static_cast<int>(threads);
}

}  // namespace nearfar_stable
}  // namespace at
