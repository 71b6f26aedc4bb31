#pragma once
/// at::Tensor for plugins of the stable tier: the part of LibTorch's class that a plugin uses, with its names and its
/// meaning, on LibTorch's stable C shim. The same source compiles for the exact tier, where <ATen/core/Tensor.h> is
/// LibTorch's own. In an inline namespace of ours, so that no symbol of one can be taken for one of the other.
///
/// A Tensor is a shared reference, cheap to copy; undefined by default. Functions whose name ends in '_' change the
/// tensor they are called on. Where LibTorch takes a Scalar, so do these: it travels as a tensor of no dimension, which
/// gives the same numbers for float32 and float64. Not here: what the shim cannot carry (generators, p-norms other than
/// 2). Any thread, as LibTorch's.
#include <nearfar/stable/call.h>

#include <tuple>
#include <type_traits>
#include <utility>

namespace at {
inline namespace nearfar_stable {

class Tensor {
  using I = std::int64_t;
  template <class T>
  using Maybe = std::optional<T>;

 public:
  Tensor() = default;
  /// Takes the handle over.
  explicit Tensor(nearfar::stable::Handle handle) : handle_(handle) {}
  Tensor(const Tensor& other) : handle_(other.defined() ? nearfar::stable::share(other.handle_) : nullptr) {}
  Tensor(Tensor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Tensor() {
    if (handle_ != nullptr) aoti_torch_delete_tensor_object(handle_);
  }

  bool defined() const { return handle_ != nullptr; }
  nearfar::stable::Handle get() const { return handle_; }

  // What it is.
  I dim() const { return fact<I>(aoti_torch_get_dim); }
  I numel() const { return fact<I>(aoti_torch_get_numel); }
  IntArrayRef sizes() const { return {fact<I*>(aoti_torch_get_sizes), static_cast<std::size_t>(dim())}; }
  IntArrayRef strides() const { return {fact<I*>(aoti_torch_get_strides), static_cast<std::size_t>(dim())}; }
  I size(I dimension) const { return one_of(sizes(), dimension); }
  I stride(I dimension) const { return one_of(strides(), dimension); }
  bool is_contiguous() const { return fact<bool>(aoti_torch_is_contiguous); }
  ScalarType scalar_type() const { return nearfar::stable::type_of(fact<std::int32_t>(aoti_torch_get_dtype)); }
  bool is_floating_point() const {
    const ScalarType type = scalar_type();
    return type == kFloat || type == kDouble || type == kHalf || type == kBFloat16;
  }
  bool is_cpu() const { return fact<std::int32_t>(aoti_torch_get_device_type) == aoti_torch_device_type_cpu(); }
  Device device() const {
    return nearfar::stable::device_of(fact<std::int32_t>(aoti_torch_get_device_type),
                                      fact<std::int32_t>(aoti_torch_get_device_index));
  }
  TensorOptions options() const {
    TensorOptions options(scalar_type());
    options.place = device();
    return options;
  }

  // Its values: pointers to memory of the device it is on; item() waits for the device.
  template <class T>
  T* data_ptr() const {
    return static_cast<T*>(fact<void*>(torch_get_mutable_data_ptr));
  }
  template <class T>
  T* mutable_data_ptr() const {
    return data_ptr<T>();
  }
  template <class T>
  const T* const_data_ptr() const {
    return static_cast<const T*>(fact<const void*>(torch_get_const_data_ptr));
  }
  template <class T>
  T item() const {
    if constexpr (std::is_same_v<T, bool>)
      return to(kLong).fact<I>(aoti_torch_item_int64) != 0;
    else if constexpr (std::is_integral_v<T>)
      return static_cast<T>(to(kLong).fact<I>(aoti_torch_item_int64));
    else
      return static_cast<T>(to(kDouble).fact<double>(aoti_torch_item_float64));
  }

  // Element by element.
  Tensor abs() const { return op("aten::abs"); }
  Tensor exp() const { return op("aten::exp"); }
  Tensor log() const { return op("aten::log"); }
  Tensor expm1() const { return op("aten::expm1"); }
  Tensor round() const { return op("aten::round"); }
  Tensor floor() const { return op("aten::floor"); }
  Tensor log1p() const { return op("aten::log1p"); }
  Tensor neg() const { return op("aten::neg"); }
  Tensor relu() const { return op("aten::relu"); }
  Tensor sign() const { return op("aten::sign"); }
  Tensor sqrt() const { return op("aten::sqrt"); }
  Tensor rsqrt() const { return op("aten::rsqrt"); }
  Tensor square() const { return mul(*this); }
  Tensor sigmoid() const { return op("aten::sigmoid"); }
  Tensor tanh() const { return op("aten::tanh"); }
  Tensor reciprocal() const { return op("aten::reciprocal"); }
  Tensor isfinite() const { return op("aten::isfinite"); }
  Tensor isnan() const { return op("aten::isnan"); }
  Tensor logical_not() const { return op("aten::logical_not"); }
  Tensor logical_and(const Tensor& other) const { return op("aten::logical_and", "", other); }
  Tensor logical_or(const Tensor& other) const { return op("aten::logical_or", "", other); }
  Tensor nan_to_num(Maybe<double> nan = {}, Maybe<double> above = {}, Maybe<double> below = {}) const {
    return op("aten::nan_to_num", "", nan, above, below);
  }
  const Tensor& abs_() const { return in_place("aten::abs_"); }
  const Tensor& exp_() const { return in_place("aten::exp_"); }
  const Tensor& expm1_() const { return in_place("aten::expm1_"); }
  const Tensor& round_() const { return in_place("aten::round_"); }
  const Tensor& floor_() const { return in_place("aten::floor_"); }
  const Tensor& logical_and_(const Tensor& other) const { return in_place("aten::logical_and_", "", other); }
  const Tensor& log_() const { return in_place("aten::log_"); }
  const Tensor& neg_() const { return in_place("aten::neg_"); }
  const Tensor& relu_() const { return in_place("aten::relu_"); }
  const Tensor& sign_() const { return in_place("aten::sign_"); }
  const Tensor& sqrt_() const { return in_place("aten::sqrt_"); }
  const Tensor& square_() const { return mul_(*this); }
  const Tensor& reciprocal_() const { return in_place("aten::reciprocal_"); }
  const Tensor& zero_() const { return in_place("aten::zero_"); }
  const Tensor& nan_to_num_(Maybe<double> nan = {}, Maybe<double> above = {}, Maybe<double> below = {}) const {
    return in_place("aten::nan_to_num_", "", nan, above, below);
  }

  Tensor add(const Tensor& other, double times = 1) const { return less(other, -times); }
  Tensor sub(const Tensor& other, double times = 1) const { return less(other, times); }
  Tensor mul(const Tensor& other) const { return op("aten::mul", "Tensor", other); }
  Tensor div(const Tensor& other) const { return op("aten::div", "Tensor", other); }
  Tensor pow(const Tensor& exponent) const { return op("aten::pow", "Tensor_Tensor", exponent); }
  /// rounding: "floor" or "trunc".
  Tensor div(Scalar value, const char* rounding) const {
    return op("aten::div", "Tensor_mode", like(value), std::optional<std::string>(rounding));
  }
  const Tensor& div_(Scalar value, const char* rounding) const { return copy_(div(value, rounding)); }
  Tensor maximum(const Tensor& other) const { return op("aten::maximum", "", other); }
  Tensor minimum(const Tensor& other) const { return op("aten::minimum", "", other); }
  Tensor add(Scalar value) const { return add(like(value)); }
  Tensor sub(Scalar value) const { return sub(like(value)); }
  Tensor mul(Scalar value) const { return mul(like(value)); }
  Tensor div(Scalar value) const { return div(like(value)); }
  Tensor pow(Scalar value) const {
    if (value.number == 2) return square();
    return value.number == 0.5 ? sqrt() : pow(like(value));
  }
  Tensor clamp_min(Scalar value) const { return op("aten::clamp_min", "Tensor", like(value)); }
  Tensor clamp_max(Scalar value) const { return op("aten::clamp_max", "Tensor", like(value)); }
  Tensor clamp(Scalar low, Scalar high) const { return clamp_min(low).clamp_max(high); }
  const Tensor& add_(const Tensor& other, double times = 1) const { return copy_(add(other, times)); }
  const Tensor& sub_(const Tensor& other, double times = 1) const { return copy_(sub(other, times)); }
  const Tensor& mul_(const Tensor& other) const { return in_place("aten::mul_", "Tensor", other); }
  const Tensor& div_(const Tensor& other) const { return in_place("aten::div_", "Tensor", other); }
  const Tensor& pow_(const Tensor& exponent) const { return in_place("aten::pow_", "Tensor", exponent); }
  const Tensor& add_(Scalar value) const { return add_(like(value)); }
  const Tensor& sub_(Scalar value) const { return sub_(like(value)); }
  const Tensor& mul_(Scalar value) const { return mul_(like(value)); }
  const Tensor& div_(Scalar value) const { return div_(like(value)); }
  const Tensor& pow_(Scalar value) const { return copy_(pow(value)); }
  const Tensor& clamp_min_(Scalar value) const { return in_place("aten::clamp_min_", "Tensor", like(value)); }
  const Tensor& clamp_max_(Scalar value) const { return in_place("aten::clamp_max_", "Tensor", like(value)); }
  const Tensor& clamp_(Scalar low, Scalar high) const { return clamp_min_(low).clamp_max_(high); }
  const Tensor& fill_(Scalar value) const {
    if (value.integral) return copy_(like(value));  // a large one keeps its last places
    check(aoti_torch_aten_fill__Scalar(get(), value.number), "fill_");
    return *this;
  }
  const Tensor& copy_(const Tensor& from) const { return in_place("aten::copy_", "", from, false); }

  Tensor eq(const Tensor& other) const { return op("aten::eq", "Tensor", other); }
  Tensor ne(const Tensor& other) const { return op("aten::ne", "Tensor", other); }
  Tensor gt(const Tensor& other) const { return op("aten::gt", "Tensor", other); }
  Tensor ge(const Tensor& other) const { return op("aten::ge", "Tensor", other); }
  Tensor lt(const Tensor& other) const { return op("aten::lt", "Tensor", other); }
  Tensor le(const Tensor& other) const { return op("aten::le", "Tensor", other); }
  Tensor eq(Scalar value) const { return eq(like(value)); }
  Tensor ne(Scalar value) const { return ne(like(value)); }
  Tensor gt(Scalar value) const { return gt(like(value)); }
  Tensor ge(Scalar value) const { return ge(like(value)); }
  Tensor lt(Scalar value) const { return lt(like(value)); }
  Tensor le(Scalar value) const { return le(like(value)); }
  bool equal(const Tensor& other) const { return sizes() == other.sizes() && eq(other).all().item<bool>(); }
  Tensor bitwise_and(const Tensor& other) const { return op("aten::bitwise_and", "Tensor", other); }
  Tensor bitwise_or(const Tensor& other) const { return op("aten::bitwise_or", "Tensor", other); }
  Tensor bitwise_or(Scalar value) const { return bitwise_or(like(value)); }
  Tensor bitwise_and(Scalar value) const { return bitwise_and(like(value)); }
  const Tensor& bitwise_and_(Scalar value) const { return in_place("aten::bitwise_and_", "Tensor", like(value)); }
  const Tensor& bitwise_xor_(const Tensor& other) const { return in_place("aten::bitwise_xor_", "Tensor", other); }
  Tensor __rshift__(Scalar value) const { return op("aten::__rshift__", "Tensor", like(value)); }
  Tensor where(const Tensor& condition, const Tensor& other) const {
    return nearfar::stable::call("aten::where", "self", condition, *this, other);
  }
  Tensor masked_fill(const Tensor& mask, Scalar value) const {
    return op("aten::masked_fill", "Tensor", mask, like(value).to(scalar_type()));
  }
  const Tensor& masked_fill_(const Tensor& mask, Scalar value) const {
    return in_place("aten::masked_fill_", "Tensor", mask, like(value).to(scalar_type()));
  }

  // Over dimensions.
  Tensor sum(Maybe<ScalarType> type = {}) const { return op("aten::sum", "", type); }
  Tensor sum(IntArrayRef dims, bool keep = false, Maybe<ScalarType> type = {}) const {
    return op("aten::sum", "dim_IntList", Maybe<IntArrayRef>(dims), keep, type);
  }
  Tensor sum(I dimension, bool keep = false, Maybe<ScalarType> type = {}) const {
    return sum(IntArrayRef(dimension), keep, type);
  }
  Tensor mean(Maybe<ScalarType> type = {}) const { return op("aten::mean", "", type); }
  Tensor mean(IntArrayRef dims, bool keep = false, Maybe<ScalarType> type = {}) const {
    return op("aten::mean", "dim", Maybe<IntArrayRef>(dims), keep, type);
  }
  Tensor mean(I dimension, bool keep = false, Maybe<ScalarType> type = {}) const {
    return mean(IntArrayRef(dimension), keep, type);
  }
  Tensor amax(IntArrayRef dims = {}, bool keep = false) const { return op("aten::amax", "", dims, keep); }
  Tensor amax(I dimension, bool keep = false) const { return amax(IntArrayRef(dimension), keep); }
  Tensor amin(IntArrayRef dims = {}, bool keep = false) const { return op("aten::amin", "", dims, keep); }
  Tensor amin(I dimension, bool keep = false) const { return amin(IntArrayRef(dimension), keep); }
  Tensor max() const { return op("aten::max"); }
  Tensor min() const { return op("aten::min"); }
  Tensor all() const { return op("aten::all"); }
  Tensor any() const { return op("aten::any"); }
  std::tuple<Tensor, Tensor> max(I dimension, bool keep = false) const {
    return pair("aten::max", "dim", dimension, keep);
  }
  std::tuple<Tensor, Tensor> min(I dimension, bool keep = false) const {
    return pair("aten::min", "dim", dimension, keep);
  }
  Tensor argmax(Maybe<I> dimension = {}, bool keep = false) const { return op("aten::argmax", "", dimension, keep); }
  Tensor argmin(Maybe<I> dimension = {}, bool keep = false) const { return op("aten::argmin", "", dimension, keep); }
  Tensor logsumexp(IntArrayRef dims, bool keep = false) const { return op("aten::logsumexp", "", dims, keep); }
  Tensor logsumexp(I dimension, bool keep = false) const { return logsumexp(IntArrayRef(dimension), keep); }
  Tensor softmax(I dimension, Maybe<ScalarType> type = {}) const { return op("aten::softmax", "int", dimension, type); }
  Tensor log_softmax(I dimension, Maybe<ScalarType> type = {}) const {
    return op("aten::log_softmax", "int", dimension, type);
  }
  Tensor cumsum(I dimension, Maybe<ScalarType> type = {}) const { return op("aten::cumsum", "", dimension, type); }
  /// p is 2.
  Tensor norm(Scalar p, IntArrayRef dims, bool keep = false, Maybe<ScalarType> type = {}) const {
    if (p.number != 2) throw nearfar::Error(nearfar::ErrorKind::plugin, "norm: the stable tier has p = 2 alone");
    // Its order is a Scalar; where none is given it is 2.
    return op("aten::linalg_norm", "", std::nullopt, Maybe<IntArrayRef>(dims), keep, type);
  }
  Tensor norm() const { return flatten().norm(2, {0}); }
  std::tuple<Tensor, Tensor> topk(I k, I dimension = -1, bool largest = true, bool sorted = true) const {
    return pair("aten::topk", "", k, dimension, largest, sorted);
  }
  std::tuple<Tensor, Tensor> sort(I dimension = -1, bool descending = false) const {
    return pair("aten::sort", "", dimension, descending);
  }
  std::tuple<Tensor, Tensor> sort(bool stable, I dimension, bool descending = false) const {
    return pair("aten::sort", "stable", Maybe<bool>(stable), dimension, descending);
  }
  Tensor argsort(I dimension = -1, bool descending = false) const {
    return op("aten::argsort", "", dimension, descending);
  }
  Tensor bincount(const Maybe<Tensor>& weights = {}, I least = 0) const {
    return op("aten::bincount", "", weights, least);
  }

  // Matrices.
  Tensor mm(const Tensor& other) const { return op("aten::mm", "", other); }
  Tensor bmm(const Tensor& other) const { return op("aten::bmm", "", other); }
  Tensor mv(const Tensor& other) const { return op("aten::mv", "", other); }
  Tensor dot(const Tensor& other) const { return op("aten::dot", "", other); }
  Tensor matmul(const Tensor& other) const { return op("aten::matmul", "", other); }
  Tensor outer(const Tensor& other) const { return op("aten::outer", "", other); }
  const Tensor& addmm_(const Tensor& a, const Tensor& b) const { return add_(a.mm(b)); }
  Tensor t() const { return op("aten::t"); }
  Tensor tril(I diagonal = 0) const { return op("aten::tril", "", diagonal); }
  Tensor triu(I diagonal = 0) const { return op("aten::triu", "", diagonal); }
  Tensor diagonal(I offset = 0, I first = 0, I second = 1) const {
    return op("aten::diagonal", "", offset, first, second);
  }
  const Tensor& fill_diagonal_(Scalar value) const { return diagonal().fill_(value), *this; }

  // Shape. Most are views of the same memory.
  Tensor view(IntArrayRef shape) const { return op("aten::view", "", shape); }
  /// The same bytes as numbers of another dtype.
  Tensor view(ScalarType type) const { return op("aten::view", "dtype", type); }
  Tensor reshape(IntArrayRef shape) const { return op("aten::reshape", "", shape); }
  Tensor view_as(const Tensor& other) const { return view(other.sizes()); }
  Tensor expand(IntArrayRef shape) const { return op("aten::expand", "", shape, false); }
  Tensor expand_as(const Tensor& other) const { return expand(other.sizes()); }
  Tensor repeat(IntArrayRef times) const { return op("aten::repeat", "", times); }
  Tensor flatten(I first = 0, I last = -1) const { return op("aten::flatten", "using_ints", first, last); }
  Tensor squeeze() const { return op("aten::squeeze"); }
  Tensor squeeze(I dimension) const { return op("aten::squeeze", "dim", dimension); }
  Tensor unsqueeze(I dimension) const { return op("aten::unsqueeze", "", dimension); }
  Tensor transpose(I first, I second) const { return op("aten::transpose", "int", first, second); }
  Tensor permute(IntArrayRef dims) const { return op("aten::permute", "", dims); }
  Tensor flip(IntArrayRef dims) const { return op("aten::flip", "", dims); }
  Tensor narrow(I dimension, I first, I count) const { return op("aten::narrow", "", dimension, first, count); }
  Tensor select(I dimension, I index) const { return op("aten::select", "int", dimension, index); }
  Tensor operator[](I index) const { return select(0, index); }
  Tensor index_select(I dimension, const Tensor& index) const { return op("aten::index_select", "", dimension, index); }
  Tensor gather(I dimension, const Tensor& index) const { return op("aten::gather", "", dimension, index, false); }
  Tensor masked_select(const Tensor& mask) const { return op("aten::masked_select", "", mask); }
  Tensor nonzero() const { return op("aten::nonzero"); }
  Tensor scatter(I dimension, const Tensor& index, const Tensor& from) const {
    return op("aten::scatter", "src", dimension, index, from);
  }
  const Tensor& scatter_(I dimension, const Tensor& index, const Tensor& from) const {
    return in_place("aten::scatter_", "src", dimension, index, from);
  }
  const Tensor& scatter_(I dimension, const Tensor& index, Scalar value) const {
    return in_place("aten::scatter_", "src", dimension, index,
                    index.new_empty({}, options()).fill_(value).expand_as(index));
  }
  const Tensor& scatter_add_(I dimension, const Tensor& index, const Tensor& from) const {
    return in_place("aten::scatter_add_", "", dimension, index, from);
  }
  const Tensor& index_add_(I dimension, const Tensor& index, const Tensor& from) const {
    std::vector<I> shape(static_cast<std::size_t>(from.dim()), 1);
    shape[static_cast<std::size_t>(wrap(dimension))] = index.numel();
    return scatter_add_(dimension, index.view(shape).expand_as(from), from);
  }
  const Tensor& index_copy_(I dimension, const Tensor& index, const Tensor& from) const {
    return in_place("aten::index_copy_", "", dimension, index, from);
  }
  const Tensor& index_fill_(I dimension, const Tensor& index, Scalar value) const {
    return in_place("aten::index_fill_", "int_Tensor", dimension, index, like(value).to(scalar_type()));
  }

  // Copies and new ones.
  Tensor clone() const { return op("aten::clone", "", std::nullopt); }
  Tensor contiguous() const { return is_contiguous() ? *this : clone_packed(); }
  Tensor detach() const { return op("aten::detach"); }
  Tensor to(ScalarType type) const {
    return type == scalar_type() ? *this : op("aten::to", "dtype", type, false, false, std::nullopt);
  }
  Tensor to(const Device& place) const {
    return place == device() ? *this : copy_to(TensorOptions(scalar_type()).device(place));
  }
  Tensor to(const TensorOptions& wanted) const { return to(wanted.place).to(wanted.type); }
  Tensor toType(ScalarType type) const { return to(type); }
  Tensor cpu() const { return is_cpu() ? *this : copy_to(TensorOptions(scalar_type())); }
  Tensor new_empty(IntArrayRef shape) const { return new_empty(shape, options()); }
  Tensor new_empty(IntArrayRef shape, const TensorOptions& options) const;
  Tensor new_zeros(IntArrayRef shape) const { return new_zeros(shape, options()); }
  Tensor new_zeros(IntArrayRef shape, const TensorOptions& options) const { return new_empty(shape, options).zero_(); }

  // Autograd. Gradients themselves are the host's affair.
  const Tensor& set_requires_grad(bool wanted) const {
    check(torch_set_requires_grad(get(), wanted), "set_requires_grad");
    return *this;
  }

  /// The call of any operator of LibTorch whose first argument is this tensor (stable/call.h).
  template <class... Arguments>
  Tensor op(const char* name, const char* overload = "", const Arguments&... arguments) const {
    return nearfar::stable::call(name, overload, *this, arguments...);
  }

 private:
  static void check(AOTITorchError status, const char* what) {
    if (status != 0) nearfar::stable::refused(what);
  }
  template <class T, class Ask>
  [[gnu::noinline]] T fact(Ask* ask) const {
    if (!defined()) nearfar::stable::undefined();
    T value{};
    check(ask(get(), &value), "to tell a tensor's size, place or value");
    return value;
  }
  I wrap(I dimension) const { return dimension < 0 ? dimension + dim() : dimension; }
  I one_of(IntArrayRef all, I dimension) const {
    const I index = wrap(dimension);
    if (index < 0 || index >= static_cast<I>(all.size())) no_dimension(dimension);
    return all[static_cast<std::size_t>(index)];
  }
  [[noreturn]] [[gnu::cold]] [[gnu::noinline]] void no_dimension(I dimension) const {
    throw nearfar::Error(nearfar::ErrorKind::plugin,
                         "dimension " + std::to_string(dimension) + " of a tensor " + nearfar::stable::text_of(*this));
  }

  /// `value` as a tensor beside this one: it must not decide the result's type.
  [[gnu::noinline]] Tensor like(Scalar value) const {
    nearfar::stable::Handle made = nullptr;
    const bool floating = is_floating_point();
    check(value.integral && !floating ? aoti_torch_scalar_to_tensor_int64(value.integer, &made)
                                      : aoti_torch_scalar_to_tensor_float64(value.number, &made),
          "a number");
    const Tensor result(made);
    if (floating) return dim() == 0 ? result.to(scalar_type()) : result;
    return value.integral ? result : result.to(kFloat);
  }
  [[gnu::noinline]] Tensor less(const Tensor& other, double times) const {
    if (!is_floating_point() && !other.is_floating_point()) return whole_less(other, times > 0);
    nearfar::stable::Handle made = nullptr;
    if (aoti_torch_aten_subtract_Tensor(get(), other.get(), times, &made) != 0) no_sum(other);
    return Tensor(made);
  }
  [[noreturn]] [[gnu::cold]] [[gnu::noinline]] void no_sum(const Tensor& other) const {
    nearfar::stable::refused("the sum or difference of " + nearfar::stable::text_of(*this) + " and " +
                             nearfar::stable::text_of(other));
  }
  /// Of whole numbers, for which the shim's difference has no factor: a sum over two rows, exact, wrapping around.
  [[gnu::cold]] [[gnu::noinline]] Tensor whole_less(const Tensor& other, bool negated) const {
    const Tensor both = mul(other).mul(like(0));  // the result's shape and type
    const Tensor right = negated ? other.neg() : other;
    return nearfar::stable::call("aten::stack", "", std::vector<Tensor>{broadcast(both), right.broadcast(both)}, I{0})
        .sum(0, false, both.scalar_type());
  }
  Tensor broadcast(const Tensor& like) const { return expand(like.sizes()).to(like.scalar_type()); }
  template <class... Arguments>
  const Tensor& in_place(const char* name, const char* overload = "", const Arguments&... arguments) const {
    nearfar::stable::call(name, overload, *this, arguments...);
    return *this;
  }
  template <class... Arguments>
  std::tuple<Tensor, Tensor> pair(const char* name, const char* overload, const Arguments&... arguments) const {
    return nearfar::stable::call_pair(name, overload, *this, arguments...);
  }
  Tensor clone_packed() const { return new_empty(sizes()).copy_(*this); }
  Tensor copy_to(const TensorOptions& options) const { return new_empty(sizes(), options).copy_(*this); }

  nearfar::stable::Handle handle_ = nullptr;  // owned
};

}  // namespace nearfar_stable
}  // namespace at

#include <nearfar/stable/functions.h>
