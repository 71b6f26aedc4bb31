#pragma once
/// SHA-256 for identity (cell keys, files), XXH3 for speed (image contents). Hex in lower case. Safe from any thread.
#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace nearfar {

/// 64 hex digits.
std::string sha256(std::string_view bytes);
/// In base64, as a Content-Security-Policy names a script.
std::string sha256_base64(std::string_view bytes);
/// Of a whole file, streamed. Throws Error(data) naming the file if it cannot be read.
std::string sha256_file(const std::filesystem::path& file);

/// Incremental SHA-256: add() as often as wanted, then hex() once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(std::string_view bytes);
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 64-bit XXH3.
std::uint64_t xxh3(std::span<const std::byte> bytes, std::uint64_t seed = 0);

struct Hash128 {
  std::uint64_t low = 0, high = 0;
  auto operator<=>(const Hash128&) const = default;
};

/// 128-bit XXH3: wide enough that no two of a billion files share one by chance.
Hash128 xxh3_128(std::span<const std::byte> bytes);

}  // namespace nearfar
