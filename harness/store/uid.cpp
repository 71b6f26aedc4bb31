#include "store/uid.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <random>

namespace nearfar {
namespace {

constexpr std::size_t kTimeDigits = 12;

std::int64_t time_of(std::string_view uid) {
  std::int64_t time = 0;
  std::from_chars(uid.data(), uid.data() + std::min(uid.size(), kTimeDigits), time, 16);
  return time;
}

}  // namespace

std::string UidSource::next(std::int64_t unix_ms, std::string_view after) {
  std::random_device random;  // the system's: a forked process has the same counter, but not the same numbers
  const std::uint64_t tail = (std::uint64_t{random()} << 32 | random()) & 0xffff'ffff'ffff;
  const std::lock_guard lock(mutex_);
  const auto make = [&] { return fmt::format("{:012x}{:08x}{:012x}", last_ms_, count_, tail); };
  last_ms_ = std::max(last_ms_, unix_ms);
  if (++count_ == 0) ++last_ms_;
  std::string uid = make();
  if (uid <= after) {
    last_ms_ = time_of(after) + 1;
    uid = make();
  }
  return uid;
}

std::string new_uid(std::int64_t unix_ms, std::string_view after) {
  static UidSource source;
  return source.next(unix_ms, after);
}

}  // namespace nearfar
