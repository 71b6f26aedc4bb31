#include "store/proxy.h"

#include "base/error.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

namespace nearfar::testing {
namespace {

constexpr const char* kSocket = ".s.PGSQL.5432";

sockaddr_un address_of(const std::filesystem::path& folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (folder / kSocket).string();
  NEARFAR_ASSERT(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

/// What one read gives; "" at the end.
std::string read_some(int fd) {
  std::array<char, 65536> bytes{};
  const ssize_t count = ::read(fd, bytes.data(), bytes.size());
  return count > 0 ? std::string(bytes.data(), static_cast<std::size_t>(count)) : "";
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

Proxy::Proxy(const std::filesystem::path& folder, const std::filesystem::path& server_folder) : server_(server_folder) {
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(folder);
  NEARFAR_ASSERT(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  NEARFAR_ASSERT(::listen(listener_, 8) == 0);
  thread_ = std::thread([this] { accept_all(); });
}

Proxy::~Proxy() {
  ending_ = true;
  thread_.join();
  ::close(listener_);
}

/// One connection at a time: a test has one session, and its next one begins when the last one broke.
void Proxy::accept_all() {
  while (!ending_) {
    pollfd ready{listener_, POLLIN, 0};
    if (::poll(&ready, 1, 20) <= 0) continue;
    const int client = ::accept(listener_, nullptr, nullptr);
    if (client < 0) continue;
    serve(client);
    ::close(client);
  }
}

void Proxy::serve(int client) {
  const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(server_);
  bool open = ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  while (open && !ending_) {
    std::array<pollfd, 2> ready{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
    if (::poll(ready.data(), ready.size(), 20) <= 0) continue;
    if (ready[0].revents != 0) {
      const std::string bytes = read_some(client);
      const bool commits = bytes.find(std::string_view("COMMIT\0", 7)) != std::string::npos;
      const Break now = commits ? break_.exchange(Break::never) : Break::never;
      if (now == Break::after_commit) {
        write_all(server, bytes);
        (void)read_some(server);  // the answer: it has committed
      }
      if (now != Break::never) broken_ = true;
      open = now == Break::never && !bytes.empty() && write_all(server, bytes);
    }
    if (open && ready[1].revents != 0) {
      const std::string bytes = read_some(server);
      open = !bytes.empty() && write_all(client, bytes);
    }
  }
  ::close(server);
}

}  // namespace nearfar::testing
