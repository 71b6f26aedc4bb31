#pragma once
/// at::Tensor as the struct of <nearfar/c.h>, and what an error of a C function means.
#include <nearfar/c.h>
#include <nearfar/error.h>

#include <ATen/core/Tensor.h>

#include <deque>
#include <string_view>

namespace nearfar {

/// The tensors that a call is given, as long as it lasts: for a plugin without NEARFAR_TORCH as contiguous memory of
/// the CPU, copied there if need be.
class CTensors {
 public:
  explicit CTensors(bool with_handles) : with_handles_(with_handles) {}
  CTensors(const CTensors&) = delete;
  CTensors& operator=(const CTensors&) = delete;

  /// Undefined tensors become the struct without a shape. int64 stays; without handles everything else is float32.
  nearfar_tensor give(const at::Tensor& tensor);
  /// Zeros that the plugin fills in; float32 on the CPU. The tensor is `buffer(n)`, by the order of calls.
  nearfar_tensor give_buffer(at::IntArrayRef shape);
  const at::Tensor& buffer(std::size_t index) const { return buffers_.at(index); }

 private:
  nearfar_tensor describe(const at::Tensor& tensor) const;
  bool with_handles_;
  std::deque<at::Tensor> kept_, buffers_;  // addresses stay
};

/// Room for a text, and the exception for a status.
class CCall {
 public:
  CCall() : error_{sizeof(nearfar_error), sizeof text_, text_} {}
  CCall(const CCall&) = delete;
  CCall& operator=(const CCall&) = delete;

  nearfar_error* error() { return &error_; }
  /// Nothing for NEARFAR_OK; else Error of the status' kind with the plugin's text; out of memory as `on_device` says.
  void check(std::int32_t status, bool on_device = false) const;

 private:
  char text_[4096] = "";
  nearfar_error error_;
};

}  // namespace nearfar
