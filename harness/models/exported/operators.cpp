#include "models/exported/operators.h"

#include "base/error.h"
#include "models/exported/archive.h"
#include "models/exported/operator_table.h"
#include "models/mismatch.h"

#include <ATen/core/List.h>
#include <ATen/ops/scalar_tensor.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>

namespace nearfar::exported {
namespace {
using Kind = Argument::Kind;
using c10::IValue;
using c10::TypeKind;

constexpr std::string_view kArithmetic = "_operator.";

bool is_symbolic(const Argument& argument) {
  return std::any_of(argument.operands.begin(), argument.operands.end(),
                     [](const Operand& operand) { return operand.value != kNoValue; });
}

/// The values of the format's enumerations, 1-based, as c10 numbers them.
std::int64_t memory_format(std::int64_t number) {
  switch (number) {
    case 1:
      return static_cast<std::int64_t>(at::MemoryFormat::Contiguous);
    case 2:
      return static_cast<std::int64_t>(at::MemoryFormat::ChannelsLast);
    case 3:
      return static_cast<std::int64_t>(at::MemoryFormat::ChannelsLast3d);
    case 4:
      return static_cast<std::int64_t>(at::MemoryFormat::Preserve);
    default:
      return -1;
  }
}
constexpr std::int64_t kStrided = 7;

/// Python's: rounded towards minus infinity.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

/// What a size may be computed with. False: out of range, or no such operator.
bool arithmetic(std::string_view name, std::int64_t a, std::int64_t b, std::int64_t& result) {
  if (name == "add") return !__builtin_add_overflow(a, b, &result);
  if (name == "sub") return !__builtin_sub_overflow(a, b, &result);
  if (name == "mul") return !__builtin_mul_overflow(a, b, &result);
  if (name != "floordiv" && name != "mod") return false;
  if (b == 0 || b == -1) return false;
  result = floor_divide(a, b);
  if (name == "mod") result = a - result * b;
  return true;
}

bool known_arithmetic(std::string_view target) {
  std::int64_t unused = 0;
  return target.starts_with(kArithmetic) && arithmetic(target.substr(kArithmetic.size()), 1, 1, unused);
}

}  // namespace

std::optional<c10::OperatorHandle> find_operator(std::string_view target) {
  const std::string_view name = aten_name(target);
  if (name.empty()) return {};
  const std::size_t dot = target.rfind('.');
  std::string overload(target.substr(dot + 1));
  if (overload == "default") overload.clear();
  return c10::Dispatcher::singleton().findSchema({fmt::format("aten::{}", name), overload});
}

bool is_allowed(std::string_view target) { return known_arithmetic(target) || allowed_name(aten_name(target)); }

bool may_alias(const c10::OperatorHandle& handle) {
  const auto& returns = handle.schema().returns();
  const std::string& name = handle.schema().name();
  return silent_alias(name.substr(name.find("::") + 2)) ||
         std::any_of(returns.begin(), returns.end(), [](const c10::Argument& r) { return r.alias_info() != nullptr; });
}

Call::Call(const Node& node, bool doubles, at::Device device, std::string where)
    : node_(&node), doubles_(doubles), device_(device), where_(std::move(where)) {
  if (!is_allowed(node.target)) {
    fail(
        "is not among the operators that are called; export the module in evaluation mode, as it is for inference, or "
        "try torch.export.export(…).run_decompositions()");
  }
  if (node.target.starts_with(kArithmetic)) {
    const auto integers = [](const Argument& a) { return a.kind == Kind::integer; };
    const bool fits = node.inputs.size() == 2 && std::all_of(node.inputs.begin(), node.inputs.end(), integers) &&
                      node.results.size() == 1 && node.results[0].values.size() == 1;
    if (!fits) fail("takes other arguments than two integers");
    return;
  }
  handle_ = find_operator(node.target);
  if (!handle_) fail("is unknown to this LibTorch; export with PyTorch 2.11");
  bind();
  check_inference();
}

void Call::fail(const std::string& what) const { throw Error(ErrorKind::data, fmt::format("{}: {}", where_, what)); }

void Call::bind() {
  const auto& parameters = handle_->schema().arguments();
  stack_.resize(parameters.size());
  std::vector<bool> given(parameters.size(), false);
  for (const Argument& argument : node_->inputs) {
    const auto found = std::find_if(parameters.begin(), parameters.end(),
                                    [&](const c10::Argument& p) { return p.name() == argument.name; });
    if (found == parameters.end()) fail(fmt::format("has no parameter '{}'", printable(argument.name)));
    const auto position = static_cast<std::size_t>(found - parameters.begin());
    if (given[position]) fail(fmt::format("'{}' is given twice", argument.name));
    given[position] = true;
    if (is_symbolic(argument)) {
      slots_.push_back({position, &argument});
    } else {
      stack_[position] = value(argument, found->real_type(), nullptr);
    }
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (given[i]) continue;
    if (!parameters[i].default_value()) fail(fmt::format("its parameter '{}' is not given", parameters[i].name()));
    stack_[i] = *parameters[i].default_value();
  }
  if (node_->results.size() > handle_->schema().returns().size()) fail("returns fewer values than the file says");
}

/// Batch statistics and random drops belong to training; a norm without running statistics is a plain function.
void Call::check_inference() const {
  const auto& parameters = handle_->schema().arguments();
  bool training = false, tracked = true;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i].name();
    const bool symbolic =
        std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.position == i; });
    if (name == "train" || name == "training" || name == "use_input_stats")
      training = symbolic || (stack_[i].isBool() && stack_[i].toBool());
    if (name == "running_mean") tracked = symbolic;
    if (name == "dropout_p" && (symbolic || stack_[i].toDouble() != 0))
      fail("drops at random; call .eval() before torch.export.export");
  }
  if (training && tracked) fail("is in training mode; call .eval() before torch.export.export");
}

at::Tensor Call::tensor(const Operand& operand, const Environment& values) const {
  const IValue& found = values[static_cast<std::size_t>(operand.value)];
  if (!found.isTensor()) fail("reads something else than a tensor where it expects one");
  return found.toTensor();
}

std::int64_t Call::integer(const Operand& operand, const Environment* values) const {
  if (operand.value == kNoValue) return operand.number;
  const IValue& found = (*values)[static_cast<std::size_t>(operand.value)];
  if (!found.isInt()) fail("reads something else than a size where it expects one");
  return found.toInt();
}

double Call::real(const Operand& operand, Kind kind, const Environment* values) const {
  if (kind == Kind::integer || kind == Kind::integers) return static_cast<double>(integer(operand, values));
  if (operand.value != kNoValue) fail("computes with a number that it takes from a tensor, which is not read");
  return operand.real;
}

IValue Call::number(const Operand& operand, Kind kind, const Environment* values) const {
  if (kind == Kind::flag && operand.value == kNoValue) return operand.number != 0;
  return kind == Kind::integer ? IValue(integer(operand, values)) : IValue(real(operand, kind, values));
}

IValue Call::value(const Argument& argument, const c10::TypePtr& type, const Environment* values) const {
  const auto mismatch = [&] {
    fail(fmt::format("'{}' is {}, expected {}", printable(argument.name), kind_name(argument.kind), type->str()));
  };
  const bool is_number = argument.kind == Kind::integer || argument.kind == Kind::real || argument.kind == Kind::flag;
  const Operand operand = argument.operands.empty() ? Operand{} : argument.operands.front();
  switch (type->kind()) {
    case TypeKind::OptionalType:
      if (argument.kind == Kind::none) return {};
      return value(argument, type->castRaw<c10::OptionalType>()->getElementType(), values);
    case TypeKind::TensorType:
      if (argument.kind == Kind::tensor) return tensor(operand, *values);
      if (argument.kind == Kind::integer || argument.kind == Kind::real) {
        // A Python number where the operator takes a tensor: it does not decide the type of the result.
        const bool whole = argument.kind == Kind::integer;
        at::Tensor scalar = whole ? at::scalar_tensor(integer(operand, values), at::kLong)
                                  : at::scalar_tensor(real(operand, argument.kind, values), at::kDouble);
        scalar.unsafeGetTensorImpl()->set_wrapped_number(true);
        return scalar;
      }
      break;
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      if (argument.kind == Kind::integer) return integer(operand, values);
      break;
    case TypeKind::FloatType:
    case TypeKind::SymFloatType:
      if (argument.kind == Kind::real || argument.kind == Kind::integer) return real(operand, argument.kind, values);
      break;
    case TypeKind::BoolType:
      if (argument.kind == Kind::flag && operand.value == kNoValue) return operand.number != 0;
      break;
    case TypeKind::NumberType:
      if (is_number && (argument.kind != Kind::flag || operand.value == kNoValue))
        return number(operand, argument.kind, values);
      break;
    case TypeKind::StringType:
      if (argument.kind == Kind::text) return argument.text;
      break;
    case TypeKind::ScalarTypeType: {
      if (argument.kind != Kind::dtype) break;
      const at::ScalarType dtype = scalar_type(operand.number, where_);
      if (doubles_ && (dtype == at::kHalf || dtype == at::kBFloat16)) {
        throw Error(ErrorKind::config, fmt::format("{}: computes in {}: there is no float64 copy of such a network",
                                                   where_, c10::toString(dtype)));
      }
      return static_cast<std::int64_t>(doubles_ && dtype == at::kFloat ? at::kDouble : dtype);
    }
    case TypeKind::LayoutType:
      if (argument.kind == Kind::layout && operand.number == kStrided) return static_cast<std::int64_t>(at::kStrided);
      break;
    case TypeKind::MemoryFormatType:
      if (argument.kind == Kind::memory_format && memory_format(operand.number) >= 0)
        return memory_format(operand.number);
      break;
    case TypeKind::DeviceObjType:
      if (argument.kind == Kind::device) return device_;
      break;
    case TypeKind::ListType:
      return list(argument, type->castRaw<c10::ListType>()->getElementType(), values);
    default:
      break;
  }
  mismatch();
  return {};
}

IValue Call::list(const Argument& argument, const c10::TypePtr& element, const Environment* values) const {
  const auto fill = [&](auto result, auto&& read) {
    for (const Operand& operand : argument.operands) result.push_back(read(operand));
    return IValue(std::move(result));
  };
  const auto some_tensor = [&](const Operand& operand) { return tensor(operand, *values); };
  switch (element->kind()) {
    case TypeKind::TensorType:
      if (argument.kind != Kind::tensors) break;
      if (std::any_of(argument.operands.begin(), argument.operands.end(),
                      [](const Operand& o) { return o.value == kNoValue; }))
        break;
      return fill(c10::List<at::Tensor>(), some_tensor);
    case TypeKind::OptionalType:
      if (argument.kind != Kind::tensors ||
          element->castRaw<c10::OptionalType>()->getElementType()->kind() != TypeKind::TensorType)
        break;
      return fill(c10::List<std::optional<at::Tensor>>(), [&](const Operand& operand) {
        return operand.value == kNoValue ? std::optional<at::Tensor>() : std::optional(some_tensor(operand));
      });
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      if (argument.kind != Kind::integers && argument.kind != Kind::integer) break;
      return fill(c10::List<std::int64_t>(), [&](const Operand& operand) { return integer(operand, values); });
    case TypeKind::FloatType:
      if (argument.kind != Kind::reals && argument.kind != Kind::integers) break;
      return fill(c10::List<double>(), [&](const Operand& operand) { return real(operand, argument.kind, values); });
    case TypeKind::BoolType:
      if (argument.kind != Kind::flags || is_symbolic(argument)) break;
      return fill(c10::List<bool>(), [](const Operand& operand) { return operand.number != 0; });
    default:
      break;
  }
  fail(fmt::format("'{}' is {}, expected {}[]", printable(argument.name), kind_name(argument.kind), element->str()));
}

void Call::run_arithmetic(Environment& values) const {
  const std::int64_t a = integer(node_->inputs[0].operands[0], &values),
                     b = integer(node_->inputs[1].operands[0], &values);
  std::int64_t result = 0;
  if (!arithmetic(std::string_view(node_->target).substr(kArithmetic.size()), a, b, result))
    fail(fmt::format("{} and {} have no such result", a, b));
  values[static_cast<std::size_t>(node_->results[0].values[0])] = result;
}

void Call::store(std::vector<IValue>& made, Environment& values) const {
  for (std::size_t i = 0; i < node_->results.size(); ++i) {
    const Result& result = node_->results[i];
    if (!result.list) {
      const ValueId id = result.values.front();
      if (id != kNoValue) values[static_cast<std::size_t>(id)] = std::move(made[i]);
      continue;
    }
    if (!made[i].isTensorList()) fail("returns no list, although the file says so");
    const std::vector<at::Tensor> tensors = made[i].toTensorVector();
    if (tensors.size() != result.values.size())
      fail(fmt::format("returns {} tensors, the file says {}", tensors.size(), result.values.size()));
    for (std::size_t k = 0; k < tensors.size(); ++k) {
      if (result.values[k] != kNoValue) values[static_cast<std::size_t>(result.values[k])] = tensors[k];
    }
  }
}

void Call::run(Environment& values) const {
  if (!handle_) return run_arithmetic(values);
  std::vector<IValue> stack = stack_;
  const auto& parameters = handle_->schema().arguments();
  for (const Slot& slot : slots_)
    stack[slot.position] = value(*slot.argument, parameters[slot.position].real_type(), &values);
  try {
    handle_->callBoxed(stack);
  } catch (const c10::Error& error) {
    fail(printable(error.what_without_backtrace()));
  } catch (const std::exception& error) {
    fail(printable(error.what()));
  }
  store(stack, values);
}

}  // namespace nearfar::exported
