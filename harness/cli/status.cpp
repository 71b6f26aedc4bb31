#include "base/error.h"
#include "base/progress.h"
#include "base/terminal.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "report/cell_json.h"
#include "report/workload.h"
#include "store/selection.h"
#include "store/session.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <thread>
#include <tuple>

namespace nearfar {
namespace {
using nlohmann::json;

/// A model's features cells in one state are one line: there is one for every image set.
std::string cells_text(const std::vector<CellStatus>& cells) {
  std::vector<std::vector<std::string>> rows{{"cell", "kind", "label", "state", "time", "message"}};
  std::map<std::tuple<std::string, CellState, std::string>, std::size_t> of_model;  // model, state, message → row
  std::map<std::size_t, std::pair<int, double>> sums;                               // row → cells, seconds
  for (const CellStatus& cell : cells) {
    const std::string state(state_name(cell.state));
    if (cell.kind != CellKind::features) {
      rows.push_back({cell.id, std::string(kind_name(cell.kind)), cell.label, state,
                      cell.seconds > 0 ? duration_text(cell.seconds) : "", cell.message});
      continue;
    }
    const auto [row, added] = of_model.try_emplace({cell.model_key, cell.state, cell.message}, rows.size());
    auto& [count, seconds] = sums[row->second];
    ++count;
    seconds += cell.seconds;
    if (added) rows.push_back({cell.id, "features", cell.label, state, "", cell.message});
    if (count > 1) {
      const std::string& label = rows[row->second][2];
      const std::size_t of = label.rfind(" of ");
      rows[row->second] = {"",
                           "features",
                           fmt::format("{} of {} sets", label.substr(0, of), count),
                           state,
                           seconds > 0 ? duration_text(seconds) : "",
                           cell.message};
    }
  }
  return table(rows, {false, false, false, false, true, false});
}

std::string counts_text(const std::vector<CellCount>& counts) {
  std::map<std::string_view, std::int64_t> by_state;
  for (const CellCount& count : counts) {
    if (count.count > 0) by_state[state_name(count.state)] += count.count;
  }
  std::string totals;
  for (const auto& [state, count] : by_state)
    totals += fmt::format("{}{} {}", totals.empty() ? "" : ", ", count, state);
  return totals;
}

constexpr std::int64_t kMostCells = 500;

const std::vector<CellState> kOfInterest = {CellState::running, CellState::failed, CellState::crashed,
                                            CellState::timeout, CellState::nan,    CellState::oom,
                                            CellState::hung,    CellState::invalid};

/// What a person asked to see of a database.
class View {
 public:
  explicit View(const StatusArguments& arguments)
      : arguments_(arguments),
        expression_(arguments.expression),
        session_(Session::open_read_only(database_of(arguments.database))) {
    if (!arguments.experiment.empty()) experiment_ = arguments.experiment;
  }

  std::vector<CellStatus> cells(const std::vector<CellState>& states = {}) const {
    std::vector<CellStatus> found = cells_now(session_.results(), experiment_, states);
    std::erase_if(found, [&](const CellStatus& cell) { return !expression_.matches(cell.label, cell.kind, cell.key); });
    return found;
  }

  /// Error(nothing) where there are none.
  std::vector<CellCount> counts() const {
    std::vector<CellCount> found;
    if (expression_.is_all()) {
      found = counts_now(session_.results(), experiment_);
    } else {
      for (const CellStatus& cell : cells()) found.push_back({cell.kind, cell.state, 1});
    }
    if (!found.empty()) return found;
    const std::string selected =
        expression_.is_all() ? "" : fmt::format(" that -k '{}' selects", arguments_.expression);
    const std::string of = experiment_ ? fmt::format(" of experiment '{}'", *experiment_) : "";
    throw Error(ErrorKind::nothing, fmt::format("{}: no cells{}{}; experiments: {}", session_.name(), of, selected,
                                                join(session_.results().experiments(), ", ")));
  }

  /// Every cell, or of a large database those that are neither done nor waiting.
  std::string text(const std::vector<CellCount>& counts) const {
    std::int64_t total = 0;
    for (const CellCount& count : counts) total += count.count;
    if (arguments_.all || total <= kMostCells) return fmt::format("{}\n{}\n", cells_text(cells()), counts_text(counts));
    return some_text(counts, kMostCells);
  }

  /// Cells that are at work or have failed, at most `most`, and how many there are of each state.
  std::string some_text(const std::vector<CellCount>& counts, std::size_t most) const {
    std::int64_t total = 0;
    for (const CellCount& count : counts) total += count.count;
    std::vector<CellStatus> some = cells(kOfInterest);
    const std::string more = some.size() > most ? fmt::format("… and {} more\n", some.size() - most) : "";
    some.resize(std::min(some.size(), most));
    const std::string rows = some.empty() ? "" : cells_text(some) + more + "\n";
    return fmt::format("{}{} cells: {}; --all lists them\n", rows, total, counts_text(counts));
  }

  std::string document(bool one_line) const {
    json document{{"database", session_.name()}, {"cells", json::array()}};
    for (const CellStatus& cell : cells()) document["cells"].push_back(status_json(cell));
    return document.dump(one_line ? -1 : 2) + "\n";
  }

 private:
  const StatusArguments& arguments_;
  Selection expression_;
  std::optional<std::string> experiment_;
  Session session_;
};

/// Redrawn in place; what does not fit on the screen is left out.
class Screen {
 public:
  void draw(const View& view, const std::vector<CellCount>& counts) const {
    const auto [rows, columns] = terminal_size(STDOUT_FILENO).value_or(TerminalSize{});
    std::string text = view.text(counts);
    if (lines_of(text).size() >= rows) text = view.some_text(counts, rows > 6 ? rows - 6 : 1);
    fmt::print("\x1b[H");
    for (const std::string& line : lines_of(text)) fmt::print("{}\x1b[K\n", clipped(line, columns));
    fmt::print("\x1b[J");
  }

 private:
  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines = split(text, '\n');
    if (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
  }
};

/// A line for every cell that has changed.
class Changes {
 public:
  void print(const View& view, const std::vector<CellCount>& counts) {
    for (const CellStatus& cell : view.cells()) {
      const std::string now = std::string(state_name(cell.state)) + (cell.message.empty() ? "" : ": " + cell.message);
      std::string& before = known_[cell.key];
      if (!first_ && now != before) fmt::print("{}  {}  {}\n", cell.id, cell.label, now);
      before = now;
    }
    if (const std::string text = counts_text(counts); text != counts_) {
      fmt::print("{}\n", text);
      counts_ = text;
    }
    first_ = false;
  }

 private:
  std::map<std::string, std::string> known_;
  std::string counts_;
  bool first_ = true;
};

void watch(const View& view, bool as_json) {
  const char* term = std::getenv("TERM");
  const bool on_terminal = ::isatty(STDOUT_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
  if (on_terminal && !as_json) fmt::print("\x1b[2J");
  Changes changes;
  while (true) {
    const std::vector<CellCount> counts = view.counts();
    if (as_json) {
      fmt::print("{}", view.document(true));
    } else if (on_terminal) {
      Screen().draw(view, counts);
    } else {
      changes.print(view, counts);
    }
    std::fflush(stdout);
    if (!any_open(counts)) return;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace

int status_verb(const StatusArguments& arguments) {
  const View view(arguments);
  if (arguments.watch) {
    watch(view, arguments.database.json);
    return 0;
  }
  const std::vector<CellCount> counts = view.counts();
  fmt::print("{}", arguments.database.json ? view.document(false) : view.text(counts));
  return 0;
}

}  // namespace nearfar
