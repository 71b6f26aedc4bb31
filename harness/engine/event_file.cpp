#include "engine/event_file.h"

#include "base/error.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <chrono>

namespace nearfar {
namespace {

constexpr std::uint32_t kCastagnoli = 0x82F63B78;  // reflected

constexpr std::array<std::uint32_t, 256> kTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? kCastagnoli : 0);
    table[i] = crc;
  }
  return table;
}();

template <class Unsigned>
std::string little_endian(Unsigned value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}

/// As the format wants it, so that a checksum of data with checksums is none of zeros.
std::string masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return little_endian(static_cast<std::uint32_t>((crc >> 15 | crc << 17) + 0xA282EAD8));
}

// Fields of protocol buffers: a varint of number and wire type, then the value.
std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string varint_field(std::uint64_t number, std::uint64_t value) { return varint(number << 3) + varint(value); }
std::string bytes_field(std::uint64_t number, const std::string& value) {
  return varint(number << 3 | 2) + varint(value.size()) + value;
}
std::string double_field(std::uint64_t number, double value) {
  return varint(number << 3 | 1) + little_endian(std::bit_cast<std::uint64_t>(value));
}
std::string float_field(std::uint64_t number, float value) {
  return varint(number << 3 | 5) + little_endian(std::bit_cast<std::uint32_t>(value));
}

/// tensorflow.Event: wall_time = 1, step = 2; file_version = 3, summary = 5 or session_log = 7.
std::string event(std::int64_t step, const std::string& what) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return double_field(1, std::chrono::duration<double>(now).count()) +
         varint_field(2, static_cast<std::uint64_t>(step)) + what;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& folder, std::int64_t first_step) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  const std::string name = fmt::format("events.out.tfevents.{}.nearfar", seconds.count());
  path_ = folder / name;
  for (int n = 1; std::filesystem::exists(path_); ++n) path_ = folder / fmt::format("{}.{}", name, n);
  out_.open(path_, std::ios::binary);
  write(event(0, bytes_field(3, "brain.Event:2")));
  constexpr std::uint64_t kStart = 1;  // SessionLog.START: what other files have from this step on is not shown
  write(event(first_step, bytes_field(7, varint_field(1, kStart))));
}

void EventFile::add(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars)  // Summary.value = 1 { tag = 1, simple_value = 2 }
    summary += bytes_field(1, bytes_field(1, tag) + float_field(2, static_cast<float>(value)));
  write(event(step, bytes_field(5, summary)));
}

void EventFile::write(const std::string& event) {
  const std::string length = little_endian(static_cast<std::uint64_t>(event.size()));
  out_ << length << masked_crc(length) << event << masked_crc(event) << std::flush;
  if (!out_) throw Error(ErrorKind::data, path_.string() + ": cannot be written");
}

}  // namespace nearfar
