#pragma once
/// A file descriptor that closes itself, and gives its locks back with that. Movable, one owner. Includes std and POSIX
/// only.
#include <unistd.h>

#include <utility>

namespace nearfar {

class Descriptor {
 public:
  Descriptor() = default;
  /// What open() or socket() gave: negative is "not open", and errno is still the caller's to read.
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : descriptor_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }
  /// Gives the descriptor away: the caller closes it.
  int release() { return std::exchange(descriptor_, -1); }
  void reset(int descriptor = -1) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = descriptor;
  }

 private:
  int descriptor_ = -1;
};

}  // namespace nearfar
