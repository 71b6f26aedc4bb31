/// The page: what boards and facts there are, put into the template in reports/. mustache escapes every {{name}}; put
/// in as they are: our own style and script, and tables and data that page_board.h has escaped.
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "report/joined.h"
#include "report/leaderboard_forms.h"
#include "report/page_board.h"
#include "report/row_text.h"

#include <fmt/core.h>
#include <kainjow/mustache.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <vector>

namespace nearfar {
namespace {

using kainjow::mustache::data;
using kainjow::mustache::mustache;

data optional_text(const std::string& text) { return text.empty() ? data(false) : data(text); }

std::string protocol_text(const std::string& protocol) {
  if (protocol == "ood") return "in-distribution test images against each OOD set";
  if (protocol == "fsood") return "in-distribution test and covariate-shifted images against each OOD set";
  return "protocol " + protocol;
}

/// What the marks of a board mean.
std::string marks_text(const LeaderboardBoard& board) {
  if (board.intervals_from.empty()) return "Bold: the highest of ranked rows as printed (the lowest of FPR@95).";
  return fmt::format(
      "Bold: better than all others of its column, underlined: than all but the best; only where {} show the "
      "difference. "
      "Small below a rank: the ranks it would have with other {}, 95 %.",
      board.intervals_from, board.intervals_from);
}

/// "Not ranked, partial (2 rows): only a part of the images was scored (--limit)."
data reason_items(const PageBoard& board) {
  std::map<std::string, int> counts;
  for (const PageRow& row : board.rows) {
    if (row.part != PageRow::Part::unranked) continue;
    for (const std::string& mark : row.marks) {
      if (!reason_text(mark).empty() || &mark == &row.marks.back()) ++counts[mark];
    }
  }
  data items(data::type::list);
  for (const auto& [mark, count] : counts) {
    const std::string_view why = reason_text(mark);
    data item;
    item.set("mark", mark);
    item.set("count", count == 1 ? "1 row" : fmt::format("{} rows", count));
    item.set("why", why.empty() ? data(false) : data(std::string(why)));
    items.push_back(item);
  }
  return items;
}

std::string under_text(const LeaderboardBoard& board) {
  std::string under = fmt::format("Protocol {}: {}.", board.protocol, protocol_text(board.protocol));
  if (!board.ranked_seeds.empty())
    under += fmt::format(" Ranked rows share the seeds {}.", seed_list(board.ranked_seeds));
  for (const BenchmarkSet& set : board.sets) {
    if (!set.role.empty()) under += fmt::format(" {} ({}): {}.", set.name, set.group, set.role);
  }
  return under + " " + marks_text(board);
}

/// The page stays small enough to send: longer data, and figures beyond, are had from --svg.
constexpr std::size_t kLongestData = 12'000, kMostFigureBytes = 1'000'000;

/// `room`: bytes left for figures on the page.
void set_figures(data& item, std::span<const plot::Figure> figures, std::size_t& room) {
  data items(data::type::list);
  std::size_t shown = 0;
  for (const plot::Figure& figure : figures) {
    const std::size_t bytes = figure.svg.size() + figure.description.size() + std::min(figure.csv.size(), kLongestData);
    if (bytes > room) break;
    room -= bytes;
    ++shown;
    data one;
    one.set("description", figure.description);
    one.set("svg", figure.svg);
    one.set("csv", optional_text(figure.csv.size() <= kLongestData ? figure.csv : ""));
    items.push_back(one);
  }
  item.set("has_figures", shown > 0);
  item.set("figures", items);
  item.set("left_out", shown == figures.size()
                           ? data(false)
                           : data(fmt::format("{} more figures have no room here: nearfar report leaderboard --svg "
                                              "FOLDER writes them all, with their data.",
                                              figures.size() - shown)));
}

data board_item(const Leaderboard& leaderboard, std::size_t index, std::span<const plot::Figure> figures,
                std::size_t& room) {
  const LeaderboardBoard& board = leaderboard.boards[index];
  const PageBoard page = page_board(leaderboard, board);
  data item;
  item.set("index", std::to_string(index));
  item.set("id", page.id);
  item.set("benchmark", page.benchmark);
  item.set("protocol", page.protocol);
  item.set("protocol_text", protocol_text(board.protocol));
  item.set("shared", optional_text(page.shared));
  item.set("under", under_text(board));
  item.set("reasons", reason_items(page));
  item.set("table", page_table(page));
  set_figures(item, figures, room);
  item.set("data", page_data(page));
  return item;
}

data make_facts(const Leaderboard& leaderboard) {
  std::vector<std::pair<std::string, std::string>> facts = {{"nearfar", join(leaderboard.engine_versions, ", ")},
                                                            {"numerics", join(leaderboard.numerics, ", ")}};
  std::set<std::pair<std::string, std::string>> data_sets;
  for (const LeaderboardBoard& board : leaderboard.boards) data_sets.emplace(board.benchmark, board.data_hash);
  for (const auto& [name, hash] : data_sets)
    facts.emplace_back("benchmark " + name, "data manifest " + hash.substr(0, 16));
  for (const LeaderboardPlugin& plugin : leaderboard.plugins) {
    facts.emplace_back(fmt::format("{} {}", plugin.kind, plugin.name),
                       fmt::format("{}, source {}", plugin.version, plugin.source_hash.substr(0, 12)));
  }
  for (const PublishedSource& source : leaderboard.published_sources)
    facts.emplace_back("published " + source.name,
                       fmt::format("{}, {}, {}", source.title, source.reference, source.date));
  for (const LeaderboardSource& source : leaderboard.sources)
    facts.emplace_back("results of " + source.label(), source.verified ? "verified" : "unverified: " + source.reason);
  data list(data::type::list);
  for (const auto& [name, value] : facts) {
    if (value.empty()) continue;
    data item;
    item.set("name", name);
    item.set("value", value);
    list.push_back(item);
  }
  return list;
}

/// The script, and the policy that lets this script run and nothing else.
void set_script(data& values, const std::filesystem::path& templates) {
  std::string script;
  for (const char* name : {"leaderboard_view.js", "leaderboard_copy.js", "leaderboard.js"})
    script += read_file(templates / name);
  values.set("js", script);
  values.set("js_sha256", sha256_base64(script));
}

}  // namespace

std::string leaderboard_html(const Leaderboard& leaderboard, const std::filesystem::path& templates,
                             std::span<const std::vector<plot::Figure>> figures) {
  const std::filesystem::path file = templates / "leaderboard.html.mustache";
  mustache page(read_file(file));
  if (!page.is_valid())
    throw Error(ErrorKind::config, fmt::format("{}: not a valid template: {}", file.string(), page.error_message()));
  data boards(data::type::list), notes(data::type::list);
  std::size_t room = kMostFigureBytes;
  for (std::size_t i = 0; i < leaderboard.boards.size(); ++i) {
    boards.push_back(
        board_item(leaderboard, i, i < figures.size() ? figures[i] : std::span<const plot::Figure>(), room));
  }
  for (const std::string& note : footnotes(leaderboard)) {
    data item;
    item.set("text", note);
    notes.push_back(item);
  }
  std::set<std::string> benchmarks;
  for (const LeaderboardBoard& board : leaderboard.boards) benchmarks.insert(board.benchmark);
  const std::string names = joined(benchmarks, ", ");
  data values;
  values.set("title", names.empty() ? "nearfar leaderboard" : names + ": nearfar leaderboard");
  values.set("css", read_file(templates / "leaderboard.css"));
  set_script(values, templates);
  values.set("words", page_words());
  values.set("boards", boards);
  values.set("has_boards", !leaderboard.boards.empty());
  values.set("notes", notes);
  values.set("facts", make_facts(leaderboard));
  return page.render(values);
}

}  // namespace nearfar
