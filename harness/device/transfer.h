#pragma once
/// Copies between the host and a device, on purpose and counted. From pinned memory they need no wait; what is in
/// flight must be left alone until it has arrived, and the classes here see to that. One thread each.
#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace nearfar {

/// Of this process, through this file. A copy on the CPU counts nothing.
struct Traffic {
  std::int64_t to_device = 0, to_device_bytes = 0;
  std::int64_t to_host = 0, to_host_bytes = 0;
  std::int64_t waits = 0;  ///< times that the host waited for the device
};
Traffic traffic();

/// The tensor on the host: itself where it is there. Waits for the device. Plugins have nearfar/to_host.h.
at::Tensor download(const at::Tensor& tensor);
/// All of them, each contiguous, for one wait: through pinned memory. Undefined ones stay so.
std::vector<at::Tensor> download(const std::vector<at::Tensor>& tensors);
/// The tensor on `device`: itself where it is there, undefined where it is undefined. From host memory that is not
/// pinned the host waits for the copy.
at::Tensor upload(const at::Tensor& tensor, at::Device device);

/// Sends slabs to the device through two pinned buffers, in turn: the second is filled while the first still travels.
class Uploader {
 public:
  explicit Uploader(at::Device device) : device_(device) {}
  /// `host`: contiguous, on the CPU, of any dtype; may be overwritten as soon as this returns. On the CPU: `host`
  /// itself, not a copy.
  at::Tensor send(const at::Tensor& host);

 private:
  struct Buffer {
    at::Tensor pinned;  ///< bytes
    std::optional<c10::Event> done;
  };
  at::Device device_;
  std::array<Buffer, 2> buffers_;
  std::size_t next_ = 0;
};

/// Brings tensors to the host through pinned buffers, while the device goes on: what is fetched arrives, in order, one
/// round later.
class Downloader {
 public:
  /// Called with the tensors of a round, on the host, contiguous; they are overwritten after it returns.
  using Arrived = std::function<void(const std::vector<at::Tensor>& host)>;

  explicit Downloader(at::Device device) : device_(device) {}
  /// A round: the tensors (contiguous; undefined ones stay so) as they are now, in the order of the device's work.
  /// First hands on the round before. On the CPU this round is handed on at once.
  void fetch(const std::vector<at::Tensor>& tensors, Arrived arrived);
  /// Hands on the last round.
  void finish();

 private:
  struct Round {
    std::vector<at::Tensor> buffers, host;  ///< pinned bytes, and what is made of them
    std::optional<c10::Event> done;
    Arrived arrived;
  };
  void deliver(Round& round);
  at::Device device_;
  std::array<Round, 2> rounds_;
  std::size_t next_ = 0;
};

}  // namespace nearfar
