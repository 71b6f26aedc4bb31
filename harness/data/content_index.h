#pragma once
/// Which images of several sets have the same pixels. 32 bytes an image. Not thread-safe; one owner. Torch-free.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nearfar {

/// Sets `first` < `second` share images.
struct SharedContent {
  std::size_t first = 0, second = 0;
  std::int64_t images = 0;  ///< of `second` that are in `first`
  std::int64_t example_first = 0, example_second = 0;
};

struct ContentComparison {
  std::vector<std::int64_t> duplicates;  ///< [sets] images whose content an earlier image of the set has
  std::vector<SharedContent> shared;     ///< by first, then second
};

class ContentIndex {
 public:
  void add(std::span<const std::uint8_t> pixels, std::size_t set, std::int64_t image);
  /// Does not depend on the order in which images were added.
  ContentComparison compare(std::size_t sets);

 private:
  /// 128 bits of two XXH3: a chance hit among 10 million images is out of the question.
  struct Entry {
    std::uint64_t low, high;
    std::uint64_t set;
    std::int64_t image;
    auto operator<=>(const Entry&) const = default;
  };
  std::vector<Entry> entries_;
};

}  // namespace nearfar
