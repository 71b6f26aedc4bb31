#include "data/image_list.h"

#include "base/error.h"
#include "base/text.h"
#include "data/open_beneath.h"
#include "data/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

namespace nearfar {
namespace {

constexpr std::uint64_t kLargestList = std::uint64_t{4} << 30;
constexpr std::size_t kLongestLabel = 1024;

std::string_view without_first(std::string_view text, std::size_t count) { return trim(text.substr(count)); }

/// The whole of `text` as an integer; a sign is fine.
std::optional<std::int64_t> integer(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
  return value;
}

/// {"group_label": 0, 'class_label': 3}: the value of class_label. Nothing if it is not such a dict or has no
/// class_label.
std::optional<std::int64_t> class_of_dict(std::string_view text) {
  if (!text.starts_with('{') || !text.ends_with('}') || text.size() < 2) return std::nullopt;
  text = trim(text.substr(1, text.size() - 2));
  std::optional<std::int64_t> found;
  while (!text.empty()) {
    const char quote = text.front();
    const std::size_t end = text.find(quote, 1);
    if ((quote != '"' && quote != '\'') || end == std::string_view::npos) return std::nullopt;
    const std::string_view key = text.substr(1, end - 1);
    text = without_first(text, end + 1);
    if (!text.starts_with(':')) return std::nullopt;
    text = without_first(text, 1);
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::optional<std::int64_t> value = integer(trim(text.substr(0, comma)));
    if (!value) return std::nullopt;
    if (key == "class_label") found = value;  // as in Python, the last of a name counts
    text = without_first(text, std::min(comma + 1, text.size()));
  }
  return found;
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view name) : text_(text), name_(name) {
    // A list may end in blank lines or none; what is left ends with its last entry.
    text_ = text_.substr(0, text_.find_last_not_of(" \t\r\n") + 1);
    if (text_.empty()) throw Error(ErrorKind::data, fmt::format("{}: is empty; lines 'PATH LABEL' expected", name_));
  }

  bool next(std::size_t& start, std::size_t& length, std::int32_t& label) {
    if (at_ >= text_.size()) return false;
    ++line_;
    const char* const begin = text_.data() + at_;
    const void* const newline = std::memchr(begin, '\n', text_.size() - at_);
    const std::size_t size =
        newline ? static_cast<std::size_t>(static_cast<const char*>(newline) - begin) : text_.size() - at_;
    const std::string_view line(begin, size);
    const void* const space = std::memchr(begin, ' ', size);
    if (!space) fail_without_space(line);
    start = at_;
    length = static_cast<std::size_t>(static_cast<const char*>(space) - begin);
    const std::string_view path = line.substr(0, length);
    if (const std::string_view problem = name_problem(path); !problem.empty()) fail_path(line, path, problem);
    label = read_label(trim(line.substr(length)), line);
    at_ += size + 1;
    return true;
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw Error(ErrorKind::data, fmt::format("{}:{}: {}", name_, line_, message));
  }
  [[noreturn]] void fail_without_space(std::string_view line) const {
    if (trim(line).empty()) fail("a blank line, 'PATH LABEL' expected");
    fail(fmt::format("'{}' has no space, 'PATH LABEL' expected", printable(line)));
  }
  [[noreturn]] void fail_path(std::string_view line, std::string_view path, std::string_view problem) const {
    if (trim(line).empty()) fail("a blank line, 'PATH LABEL' expected");
    fail(fmt::format("the path '{}' {}", printable(path), problem));
  }

  std::int32_t read_label(std::string_view text, std::string_view line) const {
    std::optional<std::int64_t> value = integer(text);
    if (!value && text.size() <= kLongestLabel) value = class_of_dict(text);
    if (!value) {
      fail(
          fmt::format("'{}' has the label '{}', an integer or a dict with 'class_label' expected after the first space",
                      printable(line.substr(0, line.find(' '))), printable(text, 60)));
    }
    if (*value < -1 || *value > std::numeric_limits<std::int32_t>::max()) {
      fail(fmt::format("the label {} is outside of -1 … {}", *value, std::numeric_limits<std::int32_t>::max()));
    }
    return static_cast<std::int32_t>(*value);
  }

  std::string_view text_, name_;
  std::size_t at_ = 0;
  std::int64_t line_ = 0;
};

constexpr unsigned kLengthBits = 16;  // a path has at most 4096 bytes

}  // namespace

std::string_view ImageList::path(std::int64_t index) const {
  const std::uint64_t packed = starts_[static_cast<std::size_t>(index)];
  return std::string_view(text_).substr(packed >> kLengthBits, packed & ((1U << kLengthBits) - 1));
}

void ImageList::add(std::string_view path, std::int32_t label) {
  if (const std::string_view problem = name_problem(path); !problem.empty()) {
    throw Error(ErrorKind::data, fmt::format("the path '{}' {}", printable(path), problem));
  }
  starts_.push_back((std::uint64_t{text_.size()} << kLengthBits) | path.size());
  labels_.push_back(label);
  text_ += path;
}

ImageList parse_image_list(std::string text, std::string_view name) {
  ImageList list;
  list.text_ = std::move(text);
  const auto lines = static_cast<std::size_t>(std::count(list.text_.begin(), list.text_.end(), '\n')) + 1;
  // An entry has at least 3 bytes: no more is reserved for a text of newlines.
  const std::size_t most = std::min(lines, list.text_.size() / 3 + 1);
  list.starts_.reserve(most);
  list.labels_.reserve(most);
  Parser parser(list.text_, name);
  std::size_t start = 0, length = 0;
  std::int32_t label = 0;
  while (parser.next(start, length, label)) {
    list.starts_.push_back((std::uint64_t{start} << kLengthBits) | length);
    list.labels_.push_back(label);
  }
  return list;
}

ImageList read_image_list(const std::filesystem::path& file) {
  return parse_image_list(read_regular_file(file, kLargestList), file.string());
}

}  // namespace nearfar
