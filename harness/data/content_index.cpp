#include "data/content_index.h"

#include "base/hash.h"

#include <algorithm>
#include <map>
#include <utility>

namespace nearfar {

void ContentIndex::add(std::span<const std::uint8_t> pixels, std::size_t set, std::int64_t image) {
  constexpr std::uint64_t kOtherSeed = 0x9e3779b97f4a7c15;
  entries_.push_back({xxh3(std::as_bytes(pixels)), xxh3(std::as_bytes(pixels), kOtherSeed), set, image});
}

ContentComparison ContentIndex::compare(std::size_t sets) {
  struct Run {  // images of one set that have the same content
    std::size_t set;
    std::int64_t first, count;
  };
  ContentComparison result;
  result.duplicates.resize(sets);
  std::map<std::pair<std::size_t, std::size_t>, SharedContent> shared;
  std::sort(entries_.begin(), entries_.end());
  std::vector<Run> runs;
  for (std::size_t at = 0; at < entries_.size();) {
    const Entry& head = entries_[at];
    runs.clear();
    for (; at < entries_.size() && entries_[at].low == head.low && entries_[at].high == head.high; ++at) {
      const Entry& entry = entries_[at];
      if (runs.empty() || runs.back().set != entry.set)
        runs.push_back({entry.set, entry.image, 1});
      else
        ++runs.back().count;
    }
    for (std::size_t b = 0; b < runs.size(); ++b) {
      result.duplicates[runs[b].set] += runs[b].count - 1;
      for (std::size_t a = 0; a < b; ++a) {
        SharedContent& pair = shared[{runs[a].set, runs[b].set}];
        if (pair.images == 0 || runs[b].first < pair.example_second) {
          pair.example_first = runs[a].first;
          pair.example_second = runs[b].first;
        }
        pair.first = runs[a].set;
        pair.second = runs[b].set;
        pair.images += runs[b].count;
      }
    }
  }
  for (const auto& [sets_of, pair] : shared) result.shared.push_back(pair);
  return result;
}

}  // namespace nearfar
