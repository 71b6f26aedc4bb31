#include "data/selection.h"

#include "base/error.h"
#include "base/set_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace nearfar {
namespace {

/// One image that a set keeps: where it is, and the how-manieth of its class it is.
struct Pick {
  std::int64_t index, rank;
};

std::unordered_map<std::int64_t, std::int64_t> positions(const std::vector<std::int64_t>& classes) {
  std::unordered_map<std::int64_t, std::int64_t> result;
  for (const std::int64_t label : classes) result.emplace(label, static_cast<std::int64_t>(result.size()));
  return result;
}

/// The lowest ranks first, so that a limit takes the classes in equal parts; then the source's order again.
void apply_limit(std::vector<Pick>& picks, std::int64_t limit) {
  if (limit <= 0 || static_cast<std::int64_t>(picks.size()) <= limit) return;
  std::stable_sort(picks.begin(), picks.end(), [](const Pick& a, const Pick& b) { return a.rank < b.rank; });
  picks.resize(static_cast<std::size_t>(limit));
  std::sort(picks.begin(), picks.end(), [](const Pick& a, const Pick& b) { return a.index < b.index; });
}

void check_count(const Benchmark& benchmark, const SetSpec& set, std::int64_t found, const LoadOptions& options) {
  const bool fits = found > 0 && (set.count == 0 || found == set.count);
  if (fits || (options.allow_count_mismatch && found > 0)) return;
  throw Error(
      ErrorKind::data,
      fmt::format(
          "set '{}' of benchmark '{}' has {} images, {} expected ({}); the files are not the ones the benchmark was "
          "made "
          "for{}",
          set.name, benchmark.name, found, set.count ? std::to_string(set.count) : "at least one", set.where,
          found > 0 ? "; get those, or set data.allow_count_mismatch=true, which every result will then say" : ""));
}

}  // namespace

Selection select_images(const Benchmark& benchmark, const SetSpec& set, std::int64_t count,
                        const std::function<std::int64_t(std::int64_t)>& label, const LoadOptions& options) {
  const std::unordered_map<std::int64_t, std::int64_t> kept = positions(set.classes);
  std::unordered_map<std::int64_t, std::int64_t> seen;
  std::vector<Pick> picks;
  picks.reserve(static_cast<std::size_t>(count));
  for (std::int64_t index = 0; index < count; ++index) {
    const std::int64_t value = label(index);
    if (!kept.empty() && !kept.contains(value)) continue;
    const std::int64_t rank = seen[value]++ - set.skip_per_class;
    if (rank < 0 || (set.first_per_class && rank >= set.first_per_class)) continue;
    picks.push_back({index, rank});
  }
  Selection selection;
  selection.available = static_cast<std::int64_t>(picks.size());
  check_count(benchmark, set, selection.available, options);
  apply_limit(picks, options.limit);
  selection.picks.reserve(picks.size());
  for (const Pick& pick : picks) selection.picks.push_back(pick.index);
  return selection;
}

std::vector<std::int64_t> classes_of(const Benchmark& benchmark, const SetSpec& set,
                                     const std::vector<std::int64_t>& picks,
                                     const std::function<std::int64_t(std::int64_t)>& label,
                                     const std::function<void(std::int64_t, std::int64_t)>& refuse) {
  if (!is_labelled_group(set.group)) return std::vector<std::int64_t>(picks.size(), -1);
  const std::unordered_map<std::int64_t, std::int64_t> position = positions(set.classes);
  const auto classes = static_cast<std::int64_t>(benchmark.classes.size());
  std::vector<std::int64_t> result;
  result.reserve(picks.size());
  for (const std::int64_t pick : picks) {
    const std::int64_t value = label(pick);
    if (position.empty() && (value < 0 || value >= classes)) refuse(pick, value);
    result.push_back(position.empty() ? value : position.at(value));
  }
  return result;
}

}  // namespace nearfar
