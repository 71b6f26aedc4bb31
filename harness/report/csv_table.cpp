#include "report/csv_table.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/core.h>

#include <algorithm>

namespace nearfar {
namespace {

/// Reads records one by one; a quoted field may go over several lines.
class Reader {
 public:
  Reader(std::string_view text, const std::string& file) : text_(text), file_(file) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);  // spreadsheets write a byte order mark
  }

  /// False at the end.
  bool next(CsvRow& row) {
    while (!text_.empty()) {
      ++line_;
      row = {fmt::format("{}:{}", file_, line_), {}};
      if (text_.front() == '#') {
        text_.remove_prefix(std::min(text_.size(), text_.find('\n')));
        skip_end_of_line();
        continue;
      }
      record(row);
      if (row.fields.size() > 1 || !row.fields.front().empty()) return true;
    }
    return false;
  }

 private:
  void record(CsvRow& row) {
    do row.fields.push_back(!text_.empty() && text_.front() == '"' ? quoted(row.where) : plain());
    while (take(','));
    if (!text_.empty() && text_.front() != '\n' && text_.front() != '\r')
      throw Error(ErrorKind::data, fmt::format("{}: '{}' behind a closing quote; a quote within a field is written as "
                                               "two",
                                               row.where, text_.front()));
    skip_end_of_line();
  }

  std::string plain() {
    const std::string_view field = text_.substr(0, text_.find_first_of(",\r\n"));
    text_.remove_prefix(field.size());
    return std::string(trim(field));
  }

  std::string quoted(const std::string& where) {
    std::string field;
    text_.remove_prefix(1);
    for (;;) {
      const std::size_t end = text_.find('"');
      if (end == std::string_view::npos) throw Error(ErrorKind::data, where + ": a quote is not closed");
      field += text_.substr(0, end);
      text_.remove_prefix(end + 1);
      if (!take('"')) break;
      field += '"';
    }
    line_ += static_cast<std::size_t>(std::ranges::count(field, '\n'));
    return field;
  }

  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void skip_end_of_line() {
    take('\r');
    take('\n');
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t line_ = 0;
};

}  // namespace

std::size_t CsvTable::place(std::string_view column) const {
  const auto found = std::ranges::find(columns, column);
  NEARFAR_ASSERT(found != columns.end());
  return static_cast<std::size_t>(found - columns.begin());
}

CsvTable read_csv(std::string_view text, const std::string& file, std::span<const std::vector<std::string>> allowed) {
  Reader reader(text, file);
  CsvRow row;
  if (!reader.next(row)) row = {file + ":1", {}};
  if (std::ranges::find(allowed, row.fields) == allowed.end()) {
    std::vector<std::string> headers;
    for (const std::vector<std::string>& header : allowed) headers.push_back(join(header, ","));
    throw Error(ErrorKind::data, fmt::format("{}: the columns are '{}'; expected: {}", row.where, join(row.fields, ","),
                                             join(headers, "  or  ")));
  }
  CsvTable table{row.fields, {}};
  while (reader.next(row)) {
    if (row.fields.size() != table.columns.size())
      throw Error(ErrorKind::data, fmt::format("{}: {} fields, expected {}: {}", row.where, row.fields.size(),
                                               table.columns.size(), join(table.columns, ",")));
    table.rows.push_back(row);
  }
  return table;
}

}  // namespace nearfar
