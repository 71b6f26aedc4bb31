#pragma once
/// Private to store/: names of runs that sort by time. Safe from any thread.
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace nearfar {

/// 32 hex digits: 12 of milliseconds since 1970, 8 of a counter, 12 at random. A later one of the same source is
/// larger, also within a millisecond and when the clock is put back.
class UidSource {
 public:
  /// Larger than every earlier one and than `after` (may be empty): two machines may disagree about the time.
  std::string next(std::int64_t unix_ms, std::string_view after = {});

 private:
  std::mutex mutex_;
  std::int64_t last_ms_ = 0;
  std::uint32_t count_ = 0;
};

/// From the one source of this process.
std::string new_uid(std::int64_t unix_ms, std::string_view after);

}  // namespace nearfar
