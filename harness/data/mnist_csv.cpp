#include "data/gzip_file.h"
#include "data/readers.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace nearfar {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30;

/// Appends one row of bytes; returns what is wrong with it, or "".
std::string parse_row(std::string_view row, std::size_t columns, std::vector<std::uint8_t>& values) {
  const char* at = row.data();
  const char* const end = at + row.size();
  for (std::size_t column = 0; column < columns; ++column) {
    unsigned value = 0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error != std::errc{} || value > 255) {
      const auto text = std::string_view(at, static_cast<std::size_t>(end - at)).substr(0, 12);
      return rest == end && at == end
                 ? fmt::format("has {} columns, {} expected", column, columns)
                 : fmt::format("column {} begins '{}', an integer from 0 to 255 expected", column + 1, text);
    }
    values.push_back(static_cast<std::uint8_t>(value));
    at = rest;
    if (column + 1 == columns) break;
    if (at == end) return fmt::format("has {} columns, {} expected", column + 1, columns);
    if (*at != ',') return fmt::format("has '{}' after column {}, a comma expected", *at, column + 1);
    ++at;
  }
  return at == end ? "" : fmt::format("has more than the {} columns expected", columns);
}

}  // namespace

SourceImages read_mnist_csv(const std::filesystem::path& path, std::int64_t height, std::int64_t width,
                            const std::string& fix) {
  GzipFile file(path, fix);
  const std::vector<std::uint8_t> bytes = file.read(kMostBytes);
  if (bytes.size() == kMostBytes)
    file.fail(fmt::format("is larger than the {} bytes that are read at most", kMostBytes));
  if (file.truncated()) file.fail(fmt::format("truncated: the compressed stream stops after {} bytes", bytes.size()));
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  SourceImages result;
  result.height = height;
  result.width = width;
  const auto pixels = static_cast<std::size_t>(height * width);
  std::vector<std::uint8_t> row_values;
  for (std::int64_t line = 1; !text.empty(); ++line) {
    const std::size_t newline = text.find('\n');
    std::string_view row = text.substr(0, newline);
    text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
    if (row.ends_with('\r')) row.remove_suffix(1);
    row_values.clear();
    const std::string problem = parse_row(row, pixels + 1, row_values);
    if (!problem.empty()) file.fail(fmt::format("line {} {}", line, problem));
    result.pixels.insert(result.pixels.end(), row_values.begin(), row_values.end() - 1);
    result.labels.push_back(row_values.back());
  }
  if (result.labels.empty()) file.fail("is empty; rows of pixels and a label expected");
  result.count = static_cast<std::int64_t>(result.labels.size());
  return result;
}

}  // namespace nearfar
