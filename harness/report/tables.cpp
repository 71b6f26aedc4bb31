#include "report/tables.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "report/escape.h"
#include "report/page_items.h"

#include <fmt/core.h>
#include <kainjow/mustache.hpp>

namespace nearfar {
namespace {

using kainjow::mustache::data;

std::vector<std::string> texts_of(const std::vector<TableCell>& row) {
  std::vector<std::string> texts;
  texts.reserve(row.size());
  for (const TableCell& cell : row) texts.push_back(cell.text);
  return texts;
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string text;
  for (const std::string& cell : cells) text += "| " + markdown_cell(cell) + " ";
  return text + "|\n";
}

/// The sign of a difference and of a mean's spread are symbols there.
std::string latex_cell(const std::string& text) {
  return replace_all(replace_all(latex_text(text), "±", "$\\pm$"), "–", "--");
}

std::string latex_row(const std::vector<std::string>& cells) {
  std::vector<std::string> escaped;
  escaped.reserve(cells.size());
  for (const std::string& cell : cells) escaped.push_back(latex_cell(cell));
  return "    " + join(escaped, " & ") + " \\\\\n";
}

data cells_of(const ReportTable& table, const std::vector<TableCell>& row) {
  data list(data::type::list);
  for (std::size_t i = 0; i < row.size(); ++i) {
    data item;
    item.set("text", row[i].text);
    item.set("class", join(std::vector<std::string>{table.is_number[i] ? "num" : "name", row[i].mark}, " "));
    list.push_back(item);
  }
  return list;
}

data table_item(const ReportTable& table) {
  data header(data::type::list), rows(data::type::list);
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    data item;
    item.set("text", table.header[i]);
    item.set("class", table.is_number[i] ? "num" : "name");
    header.push_back(item);
  }
  for (const std::vector<TableCell>& row : table.rows) {
    data item;
    item.set("cells", cells_of(table, row));
    rows.push_back(item);
  }
  data item;
  item.set("title", table.title);
  item.set("above", text_items(table.above));
  item.set("has_rows", !table.header.empty());
  item.set("header", header);
  item.set("rows", rows);
  return item;
}

}  // namespace

std::string tables_text(const TablesReport& report) {
  std::string text;
  for (const std::string& line : report.summary) text += line + "\n";
  for (const ReportTable& shown : report.tables) {
    text += "\n" + shown.title + "\n";
    for (const std::string& line : shown.above) text += line + "\n";
    if (shown.header.empty()) continue;
    std::vector<std::vector<std::string>> rows{shown.header};
    for (const std::vector<TableCell>& row : shown.rows) rows.push_back(texts_of(row));
    text += table(rows, shown.is_number);
    if (!text.ends_with('\n')) text += '\n';
  }
  if (!report.notes.empty()) text += "\n";
  for (const std::string& line : report.notes) text += line + "\n";
  return text;
}

std::string table_markdown(const ReportTable& table, const std::string& level) {
  std::string text = fmt::format("{} {}\n\n", level, markdown_cell(table.title));
  for (const std::string& line : table.above) text += markdown_cell(line) + "\n\n";
  if (table.header.empty()) return text;
  text += markdown_row(table.header);
  for (const bool is_number : table.is_number) text += is_number ? "|---:" : "|:---";
  text += "|\n";
  for (const std::vector<TableCell>& row : table.rows) text += markdown_row(texts_of(row));
  return text + "\n";
}

std::string tables_markdown(const TablesReport& report) {
  std::string text = fmt::format("## {}\n\n", markdown_cell(report.title));
  for (const std::string& line : report.summary) text += markdown_cell(line) + "\n\n";
  for (const ReportTable& table : report.tables) text += table_markdown(table, "###");
  for (const std::string& line : report.notes) text += "- " + markdown_cell(line) + "\n";
  return text;
}

std::string tables_latex(const TablesReport& report) {
  std::string text = "% \\usepackage{booktabs}\n% " + latex_text(report.title) + "\n";
  for (const std::string& line : report.summary) text += "% " + latex_text(line) + "\n";
  for (const ReportTable& table : report.tables) {
    if (table.header.empty()) continue;
    std::string columns;
    for (const bool is_number : table.is_number) columns += is_number ? 'r' : 'l';
    text += "\n\\begin{table}\n  \\centering\n  \\begin{tabular}{" + columns + "}\n    \\toprule\n" +
            latex_row(table.header) + "    \\midrule\n";
    for (const std::vector<TableCell>& row : table.rows) text += latex_row(texts_of(row));
    std::string caption = latex_cell(table.title) + ".";
    for (const std::string& line : table.above) caption += " " + latex_cell(line);
    text += "    \\bottomrule\n  \\end{tabular}\n  \\caption{" + caption + "}\n\\end{table}\n";
  }
  for (const std::string& line : report.notes) text += "% " + latex_text(line) + "\n";
  return text;
}

std::string tables_html(const TablesReport& report, const std::filesystem::path& templates) {
  const std::filesystem::path file = templates / "tables.html.mustache";
  kainjow::mustache::mustache page(read_file(file));
  if (!page.is_valid())
    throw Error(ErrorKind::config, fmt::format("{}: not a valid template: {}", file.string(), page.error_message()));
  data tables(data::type::list);
  for (const ReportTable& table : report.tables) tables.push_back(table_item(table));
  data values;
  values.set("title", report.title);
  values.set("summary", text_items(report.summary));
  values.set("tables", tables);
  values.set("notes", text_items(report.notes));
  return page.render(values);
}

}  // namespace nearfar
