#include "serve/bounded_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace nearfar {

BoundedStream::BoundedStream(int socket, std::size_t most_bytes, std::chrono::seconds each)
    : socket_(socket), left_(most_bytes), each_(each), end_(Clock::now() + each) {}

bool BoundedStream::wait_for(short events) const {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count();
    if (left <= 0) return false;
    pollfd wanted{socket_, events, 0};
    const int got = ::poll(&wanted, 1, static_cast<int>(left));
    if (got > 0) return true;
    if (got == 0 || errno != EINTR) return false;
  }
}

bool BoundedStream::is_readable() const { return left_ > 0 && wait_for(POLLIN); }
bool BoundedStream::is_writable() const { return wait_for(POLLOUT); }

ssize_t BoundedStream::read(char* bytes, std::size_t size) {
  if (!is_readable()) return -1;
  const ssize_t got = ::recv(socket_, bytes, std::min(size, left_), 0);
  if (got > 0) left_ -= static_cast<std::size_t>(got);
  return got;
}

ssize_t BoundedStream::write(const char* bytes, std::size_t size) {
  if (!writes_) end_ = Clock::now() + each_;
  writes_ = true;
  std::size_t done = 0;
  while (done < size) {
    if (!is_writable()) return -1;
    const ssize_t put = ::send(socket_, bytes + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return -1;
    done += static_cast<std::size_t>(std::max<ssize_t>(put, 0));
  }
  return static_cast<ssize_t>(size);
}

void BoundedStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();  // nothing is decided by it
  port = 0;
}
void BoundedStream::get_local_ip_and_port(std::string& ip, int& port) const { get_remote_ip_and_port(ip, port); }

void BoundedStream::finish() {
  constexpr std::size_t kMost = 1 << 20;
  ::shutdown(socket_, SHUT_WR);
  end_ = std::min(end_, Clock::now() + std::chrono::seconds(1));
  std::array<char, 4096> bytes{};
  for (std::size_t taken = 0; taken < kMost && wait_for(POLLIN);) {
    const ssize_t got = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got <= 0) return;
    taken += static_cast<std::size_t>(got);
  }
}

}  // namespace nearfar
