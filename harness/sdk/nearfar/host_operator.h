#pragma once
/// An operator that the host has registered with LibTorch's dispatcher, by its name: how a plugin reaches the host's
/// code without linking it. Any thread.
#include <nearfar/error.h>

#include <ATen/core/Tensor.h>

#include <string>
#ifndef NEARFAR_STABLE
#include <ATen/core/dispatch/Dispatcher.h>
#endif

namespace nearfar {

/// Of these arguments, to one tensor. nearfar::Error where the program that loaded the plugin has no such operator.
template <class... Arguments>
class HostOperator {
 public:
#ifdef NEARFAR_STABLE
  explicit HostOperator(const char* name) : name_(name) {}
  at::Tensor operator()(Arguments... arguments) const { return stable::call(name_, "", arguments...); }

 private:
  const char* name_;
#else
  explicit HostOperator(const char* name) : operation_(find(name)) {}
  at::Tensor operator()(Arguments... arguments) const { return operation_.call(arguments...); }

 private:
  using Operation = c10::TypedOperatorHandle<at::Tensor(Arguments...)>;
  static Operation find(const char* name) {
    const auto found = c10::Dispatcher::singleton().findSchema({name, ""});
    if (!found) throw Error(ErrorKind::plugin, std::string(name) + " is not in this program: nearfar has it");
    return found->template typed<at::Tensor(Arguments...)>();
  }
  Operation operation_;
#endif
};

}  // namespace nearfar
