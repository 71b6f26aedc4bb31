#include "fake_device/collectives.h"

#include "fake_device/fake_device.h"
#include "fake_device/memory.h"
#include "fake_device/stream.h"

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

namespace nearfar::fake {
namespace {

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

  void send(const void* bytes, std::size_t size) const {
    for (const char* at = static_cast<const char*>(bytes); size > 0;) {
      const ssize_t sent = ::send(fd_, at, size, MSG_NOSIGNAL);
      TORCH_CHECK(sent > 0, "fake device: another rank is gone");
      at += sent, size -= static_cast<std::size_t>(sent);
    }
  }

  void receive(void* bytes, std::size_t size) const {
    const ssize_t got = size == 0 ? 0 : ::recv(fd_, bytes, size, MSG_WAITALL);
    TORCH_CHECK(got == static_cast<ssize_t>(size), "fake device: another rank is gone");
  }

 private:
  int fd_;
};

sockaddr_un address_of(const std::string& group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;  // the first byte stays 0: a name that is no file
  group.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  return address;
}

std::mutex lock;
std::map<std::string, Socket>& listening() {
  static auto* all = new std::map<std::string, Socket>;
  return *all;
}

struct Bytes {
  char* data;
  std::size_t size;
};

Bytes bytes_of(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.device() == device() && tensor.is_contiguous(), "fake device: not a dense tensor of it");
  c10::StorageImpl& storage = *tensor.storage().unsafeGetStorageImpl();
  settle(storage);
  return {static_cast<char*>(host_address(storage)) +
              tensor.storage_offset() * static_cast<std::int64_t>(tensor.element_size()),
          tensor.nbytes()};
}

template <class T>
void add(Bytes to, const std::vector<char>& from) {
  T* sums = reinterpret_cast<T*>(to.data);
  for (std::size_t i = 0; i < to.size / sizeof(T); ++i) {
    T value;
    std::memcpy(&value, from.data() + i * sizeof(T), sizeof(T));
    sums[i] += value;
  }
}

void add(at::ScalarType type, Bytes to, const std::vector<char>& from) {
  switch (type) {
    case at::kFloat:
      return add<float>(to, from);
    case at::kDouble:
      return add<double>(to, from);
    case at::kLong:
      return add<std::int64_t>(to, from);
    default:
      TORCH_CHECK(false, "fake device: sums are of float32, float64 or int64, not ", type);
  }
}

class Collectives final : public DeviceCollectives {
 public:
  /// Rank 0: the others, rank 1 first; else: rank 0.
  Collectives(int rank, std::vector<Socket> others) : rank_(rank), others_(std::move(others)) {}

  void sum(const at::Tensor& tensor) override {
    const Bytes own = bytes_of(tensor);
    if (rank_ == 0) {
      std::vector<char> theirs(own.size);
      for (const Socket& other : others_) {
        other.receive(theirs.data(), own.size);
        add(tensor.scalar_type(), own, theirs);
      }
      for (const Socket& other : others_) other.send(own.data, own.size);
    } else {
      others_[0].send(own.data, own.size);
      others_[0].receive(own.data, own.size);
    }
  }

  /// Until it is finished the tensor holds NaN, as one that is read too early deserves.
  void begin_sum(const at::Tensor& tensor) override {
    const Bytes own = bytes_of(tensor);
    begun_.push_back({tensor, {own.data, own.data + own.size}});
    poison(own.data, own.size);
  }

  void finish_sums() override {
    for (const auto& [tensor, values] : begun_) {
      std::memcpy(bytes_of(tensor).data, values.data(), values.size());
      sum(tensor);
    }
    begun_.clear();
  }

  void broadcast(const at::Tensor& tensor) override {
    const Bytes own = bytes_of(tensor);
    if (rank_ == 0) {
      for (const Socket& other : others_) other.send(own.data, own.size);
    } else {
      others_[0].receive(own.data, own.size);
    }
  }

  void gather(const at::Tensor& own, const at::Tensor& all) override {
    const Bytes from = bytes_of(own), to = bytes_of(all);
    if (rank_ == 0) {
      std::memcpy(to.data, from.data, from.size);
      for (std::size_t i = 0; i < others_.size(); ++i) others_[i].receive(to.data + (i + 1) * from.size, from.size);
      for (const Socket& other : others_) other.send(to.data, to.size);
    } else {
      others_[0].send(from.data, from.size);
      others_[0].receive(to.data, to.size);
    }
  }

 private:
  struct Begun {
    at::Tensor tensor;
    std::vector<char> values;
  };
  int rank_;
  std::vector<Socket> others_;
  std::vector<Begun> begun_;
};

}  // namespace

std::string identity() {
  const char* given = std::getenv("NEARFAR_FAKE_IDENTITY");
  return given != nullptr ? given : c10::str("fake device of thread ", ::gettid());
}

std::string new_group() {
  static std::atomic<int> count = 0;
  std::string group = c10::str("nearfar-fake-", ::getpid(), '-', count++);
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(group);
  TORCH_CHECK(::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                  ::listen(socket.fd(), 64) == 0,
              "fake device: ", std::strerror(errno));
  const std::lock_guard locked(lock);
  listening().emplace(group, std::move(socket));
  return group;
}

std::unique_ptr<DeviceCollectives> make_collectives(int index, const std::string& group, int rank, int size) {
  TORCH_CHECK(index == 0, "fake device: there is one, not ", index);
  std::vector<Socket> others;
  if (rank > 0) {
    others.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = address_of(group);
    TORCH_CHECK(::connect(others[0].fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
                "fake device: no such group");
    others[0].send(&rank, sizeof rank);
    return std::make_unique<Collectives>(rank, std::move(others));
  }
  Socket door;
  {
    const std::lock_guard locked(lock);
    door = std::move(listening().at(group));
    listening().erase(group);
  }
  for (int i = 1; i < size; ++i) others.emplace_back();
  for (int i = 1; i < size; ++i) {
    Socket came(::accept4(door.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    int who = 0;
    came.receive(&who, sizeof who);
    others.at(static_cast<std::size_t>(who) - 1) = std::move(came);
  }
  return std::make_unique<Collectives>(rank, std::move(others));
}

}  // namespace nearfar::fake
