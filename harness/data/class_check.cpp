#include "data/class_check.h"

#include "base/error.h"
#include "base/set_name.h"
#include "base/text.h"
#include "data/printable.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

constexpr std::size_t kMostShown = 5;

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostShown); ++i)
    text += fmt::format("{}{} = {}", i > 0 ? ", " : "", i, printable(names[i]));
  return text + (names.size() > kMostShown ? ", …" : "");
}

}  // namespace

std::string missing_classes_text(const Benchmark& benchmark, std::string_view set,
                                 std::span<const std::int64_t> labels) {
  if (set != sets::kTrain && set != sets::kTest) return "";
  std::vector<bool> present(benchmark.classes.size());
  for (const std::int64_t label : labels) {
    if (label >= 0 && label < static_cast<std::int64_t>(present.size()))
      present[static_cast<std::size_t>(label)] = true;
  }
  const auto there = static_cast<std::size_t>(std::count(present.begin(), present.end(), true));
  if (there == present.size()) return "";
  std::vector<std::string> names;
  for (std::size_t label = 0; label < present.size() && names.size() < kMostShown; ++label) {
    if (!present[label]) names.push_back(fmt::format("{} ({})", benchmark.classes[label], label));
  }
  return fmt::format("set '{}' has images of {} of {} classes; none of {}{}", set, there, present.size(),
                     join(names, ", "), present.size() - there > kMostShown ? ", …" : "");
}

std::string class_order_text(const Benchmark& benchmark, const std::vector<FolderOrder>& orders) {
  if (orders.empty()) return "";
  const FolderOrder& first = orders.front();
  for (const FolderOrder& other : orders) {
    const auto [a, b] =
        std::mismatch(first.folders.begin(), first.folders.end(), other.folders.begin(), other.folders.end());
    if (a == first.folders.end() && b == other.folders.end()) continue;
    throw Error(
        ErrorKind::data,
        fmt::format("{}: class folders are numbered by their names, but those of '{}' ({}) and of '{}' ({}) are "
                    "not the same; name the classes in 'classes' instead of class_count",
                    benchmark.file.string(), first.set, listed(first.folders), other.set, listed(other.folders)));
  }
  std::string text = "classes are numbered by folder name in natural order: " + listed(first.folders);
  std::vector<std::string> bytes = first.folders;
  std::sort(bytes.begin(), bytes.end());
  if (bytes != first.folders) {
    text += fmt::format(
        "; torchvision's ImageFolder would have {}: a model that was trained with it needs 'folders' of "
        "the source in that order",
        listed(bytes));
  }
  return text;
}

}  // namespace nearfar
