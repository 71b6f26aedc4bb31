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

/// The label that `text` is, an integer or a dict, and nothing else.
std::optional<std::int64_t> label_of(std::string_view text) {
  const std::optional<std::int64_t> value = integer(text);
  return value || text.size() > kLongestLabel ? value : class_of_dict(text);
}

struct Entry {
  std::string_view path, label;
};

/// What stands before a separator: blanks and one comma at its end divide, they are not of the name.
std::string_view path_part(std::string_view text) {
  const auto without_blanks = [&] { text = text.substr(0, text.find_last_not_of(" \t") + 1); };
  without_blanks();
  if (text.size() > 1 && text.ends_with(',')) text.remove_suffix(1);
  without_blanks();
  return text;
}

/// "a b.png" 3: with a tab, blanks or a comma behind the quotes. Nothing if the quotes are not closed.
std::optional<Entry> quoted(std::string_view line) {
  const std::size_t end = line.starts_with('"') ? line.find('"', 1) : std::string_view::npos;
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view label = without_first(line, end + 1);
  if (label.starts_with(',')) label = without_first(label, 1);
  return Entry{line.substr(1, end - 1), label};
}

/// Of a path with spaces that nothing sets off, the end of a name is known by its suffix: without one, "a.png 3" of
/// "a.png 3 4" would be taken for a name.
bool ends_like_a_file(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return path.find(' ') == std::string_view::npos ||
         (dot != std::string_view::npos && path.find_first_of(" /", dot) == std::string_view::npos);
}

/// A line whose first space does not divide it: at a tab, at its only comma, before a dict, at the last space.
std::optional<Entry> divided(std::string_view line) {
  const auto at = [line](std::size_t place) {
    return Entry{path_part(line.substr(0, place)), without_first(line, place + 1)};
  };
  if (const std::size_t tab = line.find('\t'); tab != std::string_view::npos && label_of(at(tab).label)) return at(tab);
  const std::size_t comma = line.find(',');
  const std::size_t last = line.ends_with('}') ? line.rfind(" {") : line.rfind(' ');
  for (const std::size_t place : {comma == line.rfind(',') ? comma : std::string_view::npos, last}) {
    if (place == std::string_view::npos) continue;
    const Entry entry = at(place);
    if (label_of(entry.label) && ends_like_a_file(entry.path)) return entry;
  }
  return std::nullopt;
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view name) : text_(text), name_(name) {
    if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff")) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: is UTF-16 text (it begins with the bytes {:02x} {:02x}); save it as UTF-8", name_,
                              static_cast<unsigned char>(text_[0]), static_cast<unsigned char>(text_[1])));
    }
    // A list may end in blank lines or none; what is left ends with its last entry.
    text_ = text_.substr(0, text_.find_last_not_of(kBlanks) + 1);
    if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
    if (text_.size() <= at_)
      throw Error(ErrorKind::data, fmt::format("{}: is empty; lines 'PATH LABEL' expected", name_));
  }

  bool next(std::size_t& start, std::size_t& length, std::int32_t& label) {
    if (at_ >= text_.size()) return false;
    ++line_;
    const char* const begin = text_.data() + at_;
    const void* const newline = std::memchr(begin, '\n', text_.size() - at_);
    const std::size_t size =
        newline ? static_cast<std::size_t>(static_cast<const char*>(newline) - begin) : text_.size() - at_;
    std::string_view line(begin, size);
    line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
    if (line.empty()) fail("a blank line, 'PATH LABEL' expected; remove it");
    const Entry entry = entry_of(line);
    if (const std::string_view problem = name_problem(entry.path); !problem.empty())
      fail(fmt::format("the path '{}' {}", printable(entry.path), problem));
    start = static_cast<std::size_t>(entry.path.data() - text_.data());
    length = entry.path.size();
    label = read_label(entry);
    at_ += size + 1;
    return true;
  }

 private:
  static constexpr std::string_view kBlanks = " \t\r\n", kByteOrderMark = "\xef\xbb\xbf";

  [[noreturn]] void fail(const std::string& message) const {
    throw Error(ErrorKind::data, fmt::format("{}:{}: {}", name_, line_, message));
  }

  Entry entry_of(std::string_view line) const {
    if (const std::optional<Entry> entry = quoted(line)) return *entry;
    const std::size_t space = line.find(' ');
    Entry entry;
    if (space != std::string_view::npos) {
      entry = {path_part(line.substr(0, space)), without_first(line, space)};
      if (entry.path.empty() || label_of(entry.label)) return entry;
    }
    if (const std::optional<Entry> other = divided(line)) return *other;
    if (space == std::string_view::npos) {
      fail(fmt::format("'{}' has no label, 'PATH LABEL' expected", printable(line)));
    }
    return entry;
  }

  std::int32_t read_label(const Entry& entry) const {
    const std::optional<std::int64_t> value = label_of(entry.label);
    if (!value) {
      fail(
          fmt::format("'{}' has the label '{}', an integer or a dict with 'class_label' expected; if the path has "
                      "spaces, put it into double quotes or a tab behind it",
                      printable(entry.path), printable(entry.label, 60)));
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
