// Any operator of LibTorch on the fake device: its CPU kernel, on the device's memory.
#include "fake_device/counters.h"
#include "fake_device/generator.h"
#include "fake_device/graph.h"
#include "fake_device/operators.h"
#include "fake_device/stream.h"
#include "fake_device/tensors.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace nearfar::fake {
namespace {

/// Operators whose CUDA kernels wait for the device: they read a size, a value or an error flag.
bool always_waits(const std::string& name) {
  static const auto* names = new std::unordered_set<std::string>{"aten::_local_scalar_dense",
                                                                 "aten::equal",
                                                                 "aten::nonzero",
                                                                 "aten::masked_select",
                                                                 "aten::_unique",
                                                                 "aten::_unique2",
                                                                 "aten::unique_dim",
                                                                 "aten::unique_dim_consecutive",
                                                                 "aten::unique_consecutive",
                                                                 "aten::bincount",
                                                                 "aten::multinomial",
                                                                 "aten::_linalg_eigh",
                                                                 "aten::_linalg_svd",
                                                                 "aten::linalg_eig",
                                                                 "aten::linalg_lstsq",
                                                                 "aten::histc",
                                                                 "aten::repeat_interleave"};
  return names->count(name) != 0;
}

bool is_mask(const at::Tensor& tensor) {
  return tensor.defined() && (tensor.scalar_type() == at::kBool || tensor.scalar_type() == at::kByte);
}

/// One call. Device arguments become CPU aliases, the CPU's kernel runs, and its results become device tensors: an
/// argument again, a view of one, or a new tensor.
class Call {
 public:
  Call(const c10::OperatorHandle& op, torch::jit::Stack& stack)
      : op_(op), stack_(stack), name_(op.schema().operator_name().name) {}

  void run() {
    const auto arguments = last(op_.schema().arguments().size());
    std::transform(arguments, stack_.end(), arguments, [this](const c10::IValue& value) { return argument(value); });
    TORCH_CHECK(strangers_.empty() || pairs_.empty(), "fake device: ", name_,
                " is given tensors of the device together with others: ", strangers_);
    count();
    const torch::jit::Stack again = is_capturing() ? torch::jit::Stack(arguments, stack_.end()) : torch::jit::Stack();
    op_.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &stack_);
    for (const Pair& pair : pairs_) take_back(pair);
    const auto results = last(op_.schema().returns().size());
    std::transform(results, stack_.end(), results, [this](const c10::IValue& value) { return result(value); });
    if (is_capturing()) record_call(again, torch::jit::Stack(results, stack_.end()));
  }

 private:
  struct Pair {
    at::Tensor device, alias;
    const void* memory;  // the alias's, before the call
  };

  torch::jit::Stack::iterator last(std::size_t count) { return stack_.end() - static_cast<std::ptrdiff_t>(count); }

  void count() {
    count_kernel(name_);
    // Indexing by a mask finds out how many elements are meant.
    if (always_waits(name_) || mask_index_) wait_for_stream(name_);
    if (name_ == "aten::_local_scalar_dense")
      count_to_host(static_cast<std::int64_t>(pairs_.front().device.element_size()));
  }

  /// A number that was written as one is rounded otherwise than a tensor of that type.
  static at::Tensor kept_number(const at::Tensor& number) {
    at::Tensor kept = number.detach().clone();
    if (number.unsafeGetTensorImpl()->is_wrapped_number()) kept.unsafeGetTensorImpl()->set_wrapped_number(true);
    return kept;
  }

  at::Tensor tensor_argument(const at::Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    if (is_ours(tensor)) {
      at::Tensor alias = on_host(tensor);
      pairs_.push_back({tensor, alias, alias.const_data_ptr()});
      return alias;
    }
    // As on a GPU, a CPU tensor without dimensions is a number; a graph keeps its value.
    if (tensor.dim() == 0) return is_capturing() ? kept_number(tensor) : tensor;
    strangers_ += c10::str(strangers_.empty() ? "" : ", ", tensor.device(), " ", tensor.sizes());
    return tensor;
  }

  c10::IValue argument(const c10::IValue& value) {
    if (value.isTensor()) return tensor_argument(value.toTensor());
    if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& one : value.toTensorVector()) list.push_back(tensor_argument(one));
      return list;
    }
    if (value.isOptionalTensorList()) return index_argument(value);
    if (value.isDevice() && value.toDevice().type() == kType) {
      for_device_ = true;
      return c10::Device(c10::DeviceType::CPU);
    }
    if (value.isGenerator()) {
      TORCH_CHECK(value.toGenerator().device().type() == kType, "fake device: ", name_, " is given a generator of ",
                  value.toGenerator().device(), " for tensors of the device");
      return host_generator(value.toGenerator());
    }
    return value;
  }

  c10::IValue index_argument(const c10::IValue& value) {
    c10::List<std::optional<at::Tensor>> list;
    for (const std::optional<at::Tensor>& one : value.toOptionalTensorVector()) {
      mask_index_ = mask_index_ || (one && is_mask(*one));
      list.push_back(one ? std::optional(tensor_argument(*one)) : std::nullopt);
    }
    return list;
  }

  /// Of an out argument that the kernel resized.
  static void take_back(const Pair& pair) {
    if (pair.alias.const_data_ptr() == pair.memory && pair.alias.sizes() == pair.device.sizes() &&
        pair.alias.strides() == pair.device.strides())
      return;
    const at::Tensor fresh = to_device(pair.alias);
    c10::StorageImpl& from = *fresh.storage().unsafeGetStorageImpl();
    c10::StorageImpl& to = *pair.device.storage().unsafeGetStorageImpl();
    to.set_data_ptr_noswap(std::move(from._mutable_data_ptr_no_checks()));
    to.set_nbytes(from.nbytes());
    pair.device.unsafeGetTensorImpl()->set_sizes_and_strides(fresh.sizes(), fresh.strides());
  }

  at::Tensor tensor_result(const at::Tensor& tensor) {
    if (!tensor.defined() || !tensor.is_cpu() || (pairs_.empty() && !for_device_)) return tensor;
    for (const Pair& pair : pairs_)
      if (tensor.is_same(pair.alias)) return pair.device;  // of an in-place or out operator
    for (const Pair& pair : pairs_)
      if (tensor.storage().is_alias_of(pair.alias.storage())) return view_of(pair.device, tensor);
    return to_device(tensor);
  }

  c10::IValue result(const c10::IValue& value) {
    if (value.isTensor()) return tensor_result(value.toTensor());
    if (!value.isTensorList()) return value;
    c10::List<at::Tensor> list;
    for (const at::Tensor& one : value.toTensorVector()) list.push_back(tensor_result(one));
    return list;
  }

  /// The same kernel on the same memory, its results to where they are now.
  void record_call(const torch::jit::Stack& arguments, const torch::jit::Stack& results) {
    record([op = op_, arguments, results, keep = pairs_] {
      for (const Pair& pair : keep) settle(*pair.device.storage().unsafeGetStorageImpl());
      torch::jit::Stack stack = arguments;
      op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &stack);
      for (std::size_t i = 0; i < results.size(); ++i) {
        if (results[i].isTensor()) put(stack[i].toTensor(), results[i].toTensor());
        if (!results[i].isTensorList()) continue;
        const auto from = stack[i].toTensorVector(), to = results[i].toTensorVector();
        for (std::size_t j = 0; j < to.size(); ++j) put(from[j], to[j]);
      }
    });
  }

  static void put(const at::Tensor& from, const at::Tensor& to) {
    if (!from.defined() || !is_ours(to)) return;
    const at::Tensor target = on_host(to);
    if (target.const_data_ptr() != from.const_data_ptr()) target.copy_(from);
  }

  const c10::OperatorHandle& op_;
  torch::jit::Stack& stack_;
  std::string name_, strangers_;
  std::vector<Pair> pairs_;
  bool for_device_ = false, mask_index_ = false;
};

void fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) { Call(op, *stack).run(); }

}  // namespace

void register_cpu_operators() {
  static auto* others =
      new torch::Library(torch::Library::IMPL, "_", c10::DispatchKey::PrivateUse1, __FILE__, __LINE__);
  others->fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>());  // operators of ours, nearfar::…
  static auto* aten =
      new torch::Library(torch::Library::IMPL, "aten", c10::DispatchKey::PrivateUse1, __FILE__, __LINE__);
  for (const c10::OperatorName& name : c10::Dispatcher::singleton().getAllOpNames()) {
    if (!name.name.starts_with("aten::")) continue;
    const auto op = c10::Dispatcher::singleton().findOp(name);
    if (!op || !op->hasSchema() || !op->hasKernelForDispatchKey(c10::DispatchKey::CPU)) continue;
    if (op->hasKernelForDispatchKey(c10::DispatchKey::PrivateUse1)) continue;
    aten->impl(toString(name).c_str(), torch::CppFunction::makeFromBoxedFunction<&fallback>());
  }
}

}  // namespace nearfar::fake
