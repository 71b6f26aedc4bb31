#pragma once
/// A report made of tables, as plain values, and its forms. Whoever makes one says what the cells hold; nothing here
/// knows what a result is. Pure functions, safe from any thread.
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

struct TableCell {
  std::string text = {};
  std::string mark = {};  ///< "good", "bad" or "quiet": a colour on the page, nothing elsewhere
};

struct ReportTable {
  std::string title = {};
  std::vector<std::string> above = {};  ///< sentences between the title and the table
  std::vector<std::string> header = {};
  std::vector<bool> is_number = {};  ///< of each column: aligned right; as long as the header
  std::vector<std::vector<TableCell>> rows = {};
};

struct TablesReport {
  std::string title = {};
  std::vector<std::string> summary = {};  ///< sentences that come first
  std::vector<ReportTable> tables = {};   ///< one without a header is its sentences alone
  std::vector<std::string> notes = {};    ///< sentences below
};

std::string tables_text(const TablesReport& report);
std::string tables_markdown(const TablesReport& report);
/// One of them, with a heading of such a level: "###".
std::string table_markdown(const ReportTable& table, const std::string& level);
/// For \input, with booktabs. Names are plain text whatever they hold.
std::string tables_latex(const TablesReport& report);
/// One file that needs nothing else: tables.html.mustache of `templates` filled in. Error(data) if it cannot be read,
/// Error(config) if it does not parse.
std::string tables_html(const TablesReport& report, const std::filesystem::path& templates);

}  // namespace nearfar
