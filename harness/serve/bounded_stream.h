#pragma once
/// Private to serve/: a connection as cpp-httplib reads and writes it, with an end to what a client may send and to how
/// long it may take. The library's own limits are for single lines and single reads: a byte every few seconds would
/// hold a thread for ever. One thread.
#include <httplib.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace nearfar {

class BoundedStream final : public httplib::Stream {
 public:
  BoundedStream(int socket, std::size_t most_bytes, std::chrono::seconds each);

  bool is_readable() const override;
  bool is_writable() const override;
  /// -1 once the bytes or the time are used up.
  ssize_t read(char* bytes, std::size_t size) override;
  /// The first write begins a new span of time.
  ssize_t write(const char* bytes, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

  /// Says that nothing more comes, and takes in what the client has still sent, so that it sees the answer and no
  /// reset.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  bool wait_for(short events) const;
  int socket_;
  std::size_t left_;
  std::chrono::seconds each_;
  Clock::time_point end_;
  bool writes_ = false;
};

}  // namespace nearfar
