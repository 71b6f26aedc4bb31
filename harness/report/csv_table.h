#pragma once
/// Private to report/: reads CSV files that people keep by hand (RFC 4180: quoted fields, doubled quotes, CRLF or LF).
/// Pure function of the text, safe from any thread.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct CsvRow {
  std::string where = {};  ///< "FILE:LINE"
  std::vector<std::string> fields = {};
};

struct CsvTable {
  std::vector<std::string> columns = {};
  std::vector<CsvRow> rows = {};

  /// Place of a column that is there.
  std::size_t place(std::string_view column) const;
};

/// `allowed`: the headers that a file may have, of which it has one exactly. Lines that begin with # and empty lines
/// are passed over. Error(data) at FILE:LINE for another header, another number of fields, an open quote.
CsvTable read_csv(std::string_view text, const std::string& file, std::span<const std::vector<std::string>> allowed);

}  // namespace nearfar
