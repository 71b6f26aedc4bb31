#pragma once
/// OpenOOD's image lists and what people write like them: one path and one label a line, in UTF-8 (a byte order mark is
/// skipped). The label is an integer or a dict of integers ({ "group_label": 0 ,"class_label": 0 }: class_label
/// counts). Blanks at the end of a line, CRLF and a missing last newline are fine. What divides a line, the first that
/// fits:
///   "a b.png" 3      quotes around the path, then blanks, a tab or a comma
///   a.png 3          the first space, if what follows is a label
///   a b.png<TAB>3    the first tab
///   a b.png,3        the only comma
///   a b.png 3        the last space, if the path before it ends with a suffix
/// A comma right before the blanks divides too. All else is refused: no line is read in two ways.
/// Lists are untrusted and may have millions of lines: the text is kept once, 12 bytes more a line.
/// Torch-free; safe from any thread.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

class ImageList {
 public:
  std::int64_t count() const { return static_cast<std::int64_t>(labels_.size()); }
  std::string_view path(std::int64_t index) const;
  std::int64_t label(std::int64_t index) const { return labels_[static_cast<std::size_t>(index)]; }
  /// For lists that are made, not read (class folders).
  void add(std::string_view path, std::int32_t label);

 private:
  friend ImageList parse_image_list(std::string text, std::string_view name);
  std::string text_;
  std::vector<std::uint64_t> starts_;  // packed: offset of the path << 16 | its length
  std::vector<std::int32_t> labels_;
};

/// Error(data) "LIST:LINE: …" with what was found and expected: no label, an empty path, one that is absolute or climbs
/// ("..") or has a NUL, longer than 4096 bytes, a label that is no integer of 32 bits or below -1, a blank line inside,
/// an empty list, UTF-16.
ImageList read_image_list(const std::filesystem::path& file);
ImageList parse_image_list(std::string text, std::string_view name);

}  // namespace nearfar
