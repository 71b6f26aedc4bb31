#include "cli/bench_sizes.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace nearfar {
namespace {

constexpr std::int64_t kDefaultRows = 1000;
constexpr std::int64_t kNetworkWidth = 512, kNetworkClasses = 10;  // of the network that methods look inside
constexpr std::int64_t kMostOfANumber = 10'000'000;
constexpr std::int64_t kMostValues = std::int64_t{1} << 33;  // 32 GiB of float32

std::string form_of(const std::string& input) {
  if (input == "batch") return "BATCHxWIDTHxCLASSES";
  return input == "network" ? "TRAINxROWS" : "TRAINxWIDTHxCLASSES[xROWS]";
}

[[noreturn]] void refuse(const std::string& input, const std::string& word, const std::string& why) {
  std::vector<std::string> names;
  for (const wire::BenchSize& size : default_bench_sizes(input)) names.push_back(size.name);
  throw Error(ErrorKind::config,
              fmt::format("--sizes: '{}' {}; expected {}, or {}", word, why, join(names, ", "), form_of(input)));
}

std::vector<std::int64_t> numbers_of(const std::string& input, const std::string& word) {
  std::vector<std::int64_t> numbers;
  for (const std::string& part : split(word, 'x')) {
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (failure != std::errc() || end != part.data() + part.size()) refuse(input, word, "is no size");
    if (number < 1 || number > kMostOfANumber)
      refuse(input, word, fmt::format("has a number that is not in 1..{}", kMostOfANumber));
    numbers.push_back(number);
  }
  return numbers;
}

wire::BenchSize shape(const std::string& input, const std::string& word) {
  const std::vector<std::int64_t> n = numbers_of(input, word);
  wire::BenchSize size{.name = word};
  if (input == "batch" && n.size() == 3) {
    size.rows = n[0], size.width = n[1], size.classes = n[2];
  } else if (input == "network" && n.size() == 2) {
    size.train = n[0], size.width = kNetworkWidth, size.classes = kNetworkClasses, size.rows = n[1];
  } else if (input == "features" && (n.size() == 3 || n.size() == 4)) {
    size.train = n[0], size.width = n[1], size.classes = n[2], size.rows = n.size() == 4 ? n[3] : kDefaultRows;
  } else {
    refuse(input, word, fmt::format("has {} numbers", n.size()));
  }
  if ((size.train + size.rows) * (size.width + size.classes) > kMostValues)
    refuse(input, word, "needs more than 32 GiB for its inputs alone");
  return size;
}

}  // namespace

std::vector<wire::BenchSize> default_bench_sizes(const std::string& input) {
  if (input == "network")
    return {{.name = "small", .train = 200, .width = kNetworkWidth, .classes = kNetworkClasses, .rows = 64}};
  if (input == "batch") {
    return {{.name = "small", .train = 0, .width = 64, .classes = 10, .rows = 64},
            {.name = "medium", .train = 0, .width = 128, .classes = 100, .rows = 256},
            {.name = "large", .train = 0, .width = 128, .classes = 1000, .rows = 1024}};
  }
  return {{.name = "small", .train = 1000, .width = 64, .classes = 10, .rows = 1000},
          {.name = "medium", .train = 10'000, .width = 512, .classes = 100, .rows = 2000},
          {.name = "large", .train = 50'000, .width = 512, .classes = 1000, .rows = 2000}};
}

std::vector<wire::BenchSize> bench_sizes(const std::string& input, const std::vector<std::string>& words) {
  const std::vector<wire::BenchSize> known = default_bench_sizes(input);
  if (words.empty()) return known;
  std::vector<wire::BenchSize> sizes;
  for (const std::string& word : words) {
    const auto found = std::ranges::find(known, word, &wire::BenchSize::name);
    const wire::BenchSize size = found != known.end() ? *found : shape(input, word);
    const bool again = std::ranges::any_of(sizes, [&](const wire::BenchSize& one) {
      return one.train == size.train && one.width == size.width && one.classes == size.classes && one.rows == size.rows;
    });
    if (again) refuse(input, word, "stands twice");
    sizes.push_back(size);
  }
  return sizes;
}

}  // namespace nearfar
