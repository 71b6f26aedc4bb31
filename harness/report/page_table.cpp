/// The table that stands in the page as HTML. End tags that HTML lets out are left out: a page may have a hundred
/// thousand cells.
#include "base/text.h"
#include "report/order.h"
#include "report/page_board.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace nearfar {
namespace {

using Out = std::back_insert_iterator<std::string>;

/// Shown without a script: means by AUROC and FPR@95, sets by AUROC.
bool is_shown(const PageColumn& column) {
  return column.metric == "auroc" || (column.is_mean() && column.metric == "fpr95");
}

std::vector<std::size_t> shown_columns(const PageBoard& board) {
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < board.columns.size(); ++i) {
    if (is_shown(board.columns[i])) shown.push_back(i);
  }
  return shown;
}

class Table {
 public:
  explicit Table(const PageBoard& board) : board_(board), shown_(shown_columns(board)) {}

  std::string html() {
    head();
    body(PageRow::Part::ranked, "ranked", "");
    body(PageRow::Part::unranked, "unranked", "Not ranked");
    body(PageRow::Part::published, "published", "Published elsewhere");
    return std::move(html_);
  }

 private:
  std::size_t width() const { return shown_.size() + (board_.has_architectures ? 9 : 8); }

  template <class... Values>
  void put(fmt::format_string<Values...> form, Values&&... values) {
    fmt::format_to(Out(html_), form, std::forward<Values>(values)...);
  }

  void head() {
    const auto plain = [&](std::string_view kind, std::string_view name) {
      put("<th scope=\"col\" rowspan=\"2\" class=\"{}\">{}", kind, name);
    };
    put("<thead>\n<tr>");
    plain("rank", "Rank");
    plain("name training", "Training");
    plain("name post", "Post&shy;processor");
    if (board_.has_architectures) plain("name", "Architecture");
    for (auto at = shown_.begin(); at != shown_.end();) {
      const PageColumn& first = board_.columns[*at];
      const auto end =
          std::find_if(at, shown_.end(), [&](std::size_t i) { return board_.columns[i].group != first.group; });
      put("<th scope=\"colgroup\" colspan=\"{}\" class=\"group {}\">{}", end - at, first.group, first.group_title);
      if (!first.group_role.empty()) put(" <span class=\"role\">{}</span>", first.group_role);
      at = end;
    }
    for (const std::string_view name : {"ID accuracy", "Seeds", "Tuned on", "Score time", "Train time"})
      plain("", name);
    put("\n<tr>");
    for (const std::size_t i : shown_) {
      const PageColumn& column = board_.columns[i];
      put("<th scope=\"col\"{}", cell_class(i));
      if (!column.role.empty()) put(" title=\"{}\"", html_text(column.role));
      put(">{}<small>{}</small>", html_text(column.dataset), column.metric_title);
    }
    put("\n</thead>\n");
  }

  void body(PageRow::Part part, std::string_view name, std::string_view title) {
    if (std::ranges::none_of(board_.rows, [&](const PageRow& row) { return row.part == part; })) return;
    put("<tbody class=\"{}\">\n", name);
    if (!title.empty()) put("<tr class=\"part\"><th colspan=\"{}\" scope=\"rowgroup\">{}\n", width(), title);
    for (const PageRow& row : board_.rows) {
      if (row.part == part) this->row(row);
    }
    put("</tbody>\n");
  }

  void row(const PageRow& row) {
    put("<tr><td class=\"rank\">{}", row.rank ? fmt::to_string(*row.rank) : "–");
    if (row.rank_low && row.rank_low != row.rank_high) put("<small>{}–{}</small>", *row.rank_low, *row.rank_high);
    name("th scope=\"row\"", "name training", row.training, row.training_details);
    name("td", "name post", row.postprocessor.empty() ? "–" : row.postprocessor, row.postprocessor_details);
    if (board_.has_architectures) name("td", "name", row.architecture, "");
    for (const std::size_t i : shown_) number(i, row.numbers[i], "");
    number(board_.columns.size() - 1, row.numbers.back(), row.classifier);
    put("<td>{}", row.seed_count > 0 ? fmt::to_string(row.seed_count) : "–");
    for (const std::string& mark : row.marks) put("<small class=\"mark\">{}</small>", html_text(mark));
    put("<td class=\"text\">{}", row.tuned_on.empty() ? "–" : html_text(row.tuned_on));
    put("<td>{}", row.score_seconds ? page_seconds(*row.score_seconds) : "–");
    if (row.score_seconds && !row.device.empty()) put("<small>{}</small>", html_text(row.device));
    put("<td>{}\n", row.train_seconds ? page_seconds(*row.train_seconds) : "–");
  }

  void name(std::string_view tag, std::string_view kind, const std::string& text, const std::string& details) {
    put("<{} class=\"{}\">{}", tag, kind, html_text(text));
    if (!details.empty()) put("<small>{}</small>", html_text(details));
  }

  void number(std::size_t column, const std::optional<PageNumber>& number, const std::string& note) {
    put("<td{}>", cell_class(column));
    if (!number) {
      put("–");
      return;
    }
    const char* const tag = number->mark == Mark::best ? "b" : number->mark == Mark::second ? "u" : "";
    if (*tag != '\0')
      put("<{}>{}</{}>", tag, page_number(number->mean), tag);
    else
      put("{}", page_number(number->mean));
    if (number->deviation) put("<small>± {}</small>", page_number(*number->deviation));
    if (!note.empty()) put("<small>{}</small>", html_text(note));
    if (!number->doubt.empty()) put("<small class=\"mark\" title=\"{}\">doubtful</small>", html_text(number->doubt));
  }

  std::string_view cell_class(std::size_t i) const {
    const PageColumn& column = board_.columns[i];
    const bool is_first = i == 0 || board_.columns[i - 1].group != column.group;
    if (column.is_mean()) return is_first ? " class=\"first mean\"" : " class=\"mean\"";
    return is_first ? " class=\"first\"" : "";
  }

  const PageBoard& board_;
  const std::vector<std::size_t> shown_;
  std::string html_;
};

}  // namespace

std::string page_table(const PageBoard& board) { return Table(board).html(); }

std::string html_text(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&apos;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

}  // namespace nearfar
