#pragma once
/// The operators that an exported program may use, and the call of one through PyTorch's dispatcher. A file names
/// operators; which of them are called is decided here: those of a table (functional operators of inference), and
/// arithmetic on sizes. Internal to models/exported; a bound call is read-only, safe from any thread.
#include "models/exported/graph.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar::exported {

/// The values of a running program by ValueId; None where there is none yet, or none any more.
using Environment = std::vector<c10::IValue>;

/// An operator of the dispatcher, "torch.ops.aten.NAME.OVERLOAD", whether or not it is allowed; nothing where LibTorch
/// does not have it.
std::optional<c10::OperatorHandle> find_operator(std::string_view target);

/// In the table? In-place forms ("relu_") are where their functional form is.
bool is_allowed(std::string_view target);

/// Does the result share memory with what goes in, or may it?
bool may_alias(const c10::OperatorHandle& handle);

/// One node, ready to be called.
class Call {
 public:
  /// Error(data) naming `where`, the operator or the argument: one that is not allowed (with what to do), unknown to
  /// this LibTorch, arguments that do not fit its parameters, training mode. `doubles`: float32 becomes float64
  /// throughout, and half precision, which has no such copy, is Error(config). `device`: wherever it was exported, it
  /// runs here. The node outlives the call.
  Call(const Node& node, bool doubles, at::Device device, std::string where);

  /// Reads what the node reads from `values` and puts there what it makes. Error(data) naming the node and what the
  /// operator said.
  void run(Environment& values) const;
  const std::string& where() const { return where_; }

 private:
  struct Slot {
    std::size_t position;  ///< in the operator's parameters
    const Argument* argument;
  };
  void bind();
  void check_inference() const;
  c10::IValue value(const Argument& argument, const c10::TypePtr& type, const Environment* values) const;
  c10::IValue list(const Argument& argument, const c10::TypePtr& element, const Environment* values) const;
  c10::IValue number(const Operand& operand, Argument::Kind kind, const Environment* values) const;
  at::Tensor tensor(const Operand& operand, const Environment& values) const;
  std::int64_t integer(const Operand& operand, const Environment* values) const;
  double real(const Operand& operand, Argument::Kind kind, const Environment* values) const;
  void store(std::vector<c10::IValue>& made, Environment& values) const;
  void run_arithmetic(Environment& values) const;
  [[noreturn]] void fail(const std::string& what) const;

  const Node* node_;
  bool doubles_;
  at::Device device_;
  std::string where_;
  std::optional<c10::OperatorHandle> handle_;  ///< none: arithmetic on sizes
  std::vector<c10::IValue> stack_;             ///< constants and defaults in their places
  std::vector<Slot> slots_;                    ///< what is read when it runs
};

}  // namespace nearfar::exported
