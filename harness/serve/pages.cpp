#include "serve/pages.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/text.h"
#include "report/cell_json.h"

#include <fmt/format.h>
#include <kainjow/mustache.hpp>

#include <algorithm>

namespace nearfar {
namespace {

using kainjow::mustache::data;
using kainjow::mustache::mustache;

constexpr const char* kNoInline =
    "default-src 'none'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors "
    "'none'";

std::string read_template(const std::filesystem::path& file) {
  std::string text = read_file(file);
  const mustache parsed(text);
  if (!parsed.is_valid())
    throw Error(ErrorKind::config, fmt::format("{}: not a valid template: {}", file.string(), parsed.error_message()));
  return text;
}

/// The style sheet that every figure carries.
std::string figure_style() {
  const std::string svg = curve_svg({});
  const std::size_t begin = svg.find("<style>") + 7;
  return svg.substr(begin, svg.find("</style>") - begin);
}

std::string render(const std::string& text, const data& values) { return mustache(text).render(values); }

data optional_text(const std::string& text) { return text.empty() ? data(false) : data(text); }

/// How a state looks: good, busy, bad, waiting, none.
std::string tone_of(CellState state) {
  if (is_failure(state)) return "bad";
  if (state == CellState::ok) return "good";
  if (state == CellState::running) return "busy";
  return state == CellState::planned ? "waiting" : "none";
}

data state_item(CellState state) {
  data item;
  item.set("state", std::string(state_name(state)));
  item.set("tone", tone_of(state));
  return item;
}

data cell_item(const CellStatus& cell) {
  data item = state_item(cell.state);
  item.set("key", cell.key);
  item.set("id", cell.id);
  item.set("label", cell.label);
  item.set("kind", std::string(kind_name(cell.kind)));
  item.set("benchmark", optional_text(cell.benchmark));
  item.set("message", optional_text(cell.message));
  item.set("time", cell.seconds > 0 ? data(duration_text(cell.seconds)) : data(false));
  item.set("finished", cell.finished_utc);
  item.set("attempt", std::to_string(cell.attempt));
  return item;
}

std::string cells_text(std::size_t count) { return count == 1 ? "1 cell" : fmt::format("{} cells", count); }

std::string remaining_text(const Remaining& remaining) {
  return fmt::format("{} {} to go, {} at work", remaining.at_least ? "at least" : "about",
                     duration_text(remaining.seconds),
                     remaining.engines == 1 ? "1 engine" : fmt::format("{} engines", remaining.engines));
}

data experiment_item(const ExperimentProgress& progress) {
  data item, states(data::type::list);
  for (const auto& [name, count] : progress.by_state) {
    data state = state_item(state_from_name(name));
    state.set("count", std::to_string(count));
    state.set("query", in_query(progress.name));
    states.push_back(state);
  }
  item.set("name", progress.name);
  item.set("query", in_query(progress.name));
  item.set("done", std::to_string(progress.ended_well));
  item.set("total", std::to_string(progress.total));
  item.set("states", states);
  item.set("remaining", progress.remaining ? data(remaining_text(*progress.remaining)) : data(false));
  return item;
}

/// What share of the usual time has gone by, at most nearly all of it.
data running_item(const RunningCell& cell) {
  data item = cell_item(cell.status);
  item.set("typical", data(false));
  if (!cell.typical_seconds || *cell.typical_seconds <= 0) return item;
  data typical;
  typical.set("text", duration_text(*cell.typical_seconds));
  typical.set("percent", fmt::format("{:.0f}", std::min(99.0, 100 * cell.status.seconds / *cell.typical_seconds)));
  item.set("typical", typical);
  return item;
}

data option_item(const std::string& value, const std::string& title, bool selected) {
  data item;
  item.set("value", value);
  item.set("title", title);
  item.set("selected", data(selected));
  return item;
}

std::string pages_link(const CellList& list, std::size_t from) {
  return fmt::format("/cells?experiment={}&state={}&k={}&from={}", in_query(list.experiment), in_query(list.state),
                     in_query(list.expression), from);
}

}  // namespace

std::string in_query(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    result += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

std::string policy_hash(const std::string& content) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string hex = sha256(content);
  std::string text;
  // Three bytes are four digits; 32 bytes end with two that are three digits and '='.
  for (std::size_t i = 0; i < hex.size(); i += 6) {
    const std::string part = hex.substr(i, 6);
    const unsigned long bits = std::stoul(part + std::string(6 - part.size(), '0'), nullptr, 16);
    const std::size_t digits = part.size() / 2 + 1;
    for (std::size_t digit = 0; digit < 4; ++digit)
      text += digit < digits ? kDigits[bits >> (18 - 6 * digit) & 63] : '=';
  }
  return "'sha256-" + text + "'";
}

Pages::Pages(const std::filesystem::path& templates)
    : layout_(read_template(templates / "serve.html.mustache")),
      overview_(read_template(templates / "serve_overview.mustache")),
      cells_(read_template(templates / "serve_cells.mustache")),
      cell_(read_template(templates / "serve_cell.mustache")),
      bar_(read_template(templates / "serve_bar.mustache")),
      own_css_(read_file(templates / "serve.css")),
      css_(read_file(templates / "leaderboard.css") + own_css_),
      js_(read_file(templates / "serve.js")),
      board_js_(read_file(templates / "leaderboard.js")),
      policy_(fmt::format("{}; style-src {} {}; script-src {}", kNoInline, policy_hash(css_),
                          policy_hash(figure_style()), policy_hash(js_))) {}

std::string Pages::whole(const std::string& title, const std::string& here, const std::string& live,
                         const std::string& stamp, const std::string& content) const {
  data values;
  for (const char* page : {"overview", "cells", "leaderboard"}) values.set(page, data(here == page));
  values.set("several", data(false));
  values.set("bar", render(bar_, values));
  values.set("title", title);
  values.set("css", css_);
  values.set("js", js_);
  values.set("live", live);
  values.set("stamp", stamp);
  values.set("refresh", data(!live.empty()));
  values.set("content", content);
  return render(layout_, values);
}

std::string Pages::overview(const Overview& overview) const {
  constexpr std::size_t kMostRunning = 30;
  data values, experiments(data::type::list), running(data::type::list), failures(data::type::list),
      events(data::type::list);
  for (const ExperimentProgress& one : overview.experiments) experiments.push_back(experiment_item(one));
  for (std::size_t i = 0; i < std::min(kMostRunning, overview.running.size()); ++i)
    running.push_back(running_item(overview.running[i]));
  for (const CellStatus& cell : overview.failures) failures.push_back(cell_item(cell));
  for (const EventRow& event : overview.events) {
    data item;
    item.set("time", event.time_utc);
    item.set("level", event.level);
    item.set("message", event.message);
    item.set("key", optional_text(event.cell_key));
    item.set("id", event.cell_key.substr(0, 12));
    events.push_back(item);
  }
  values.set("database", overview.database);
  values.set("experiments", experiments);
  values.set("running", running);
  values.set("running_count", cells_text(overview.running.size()));
  values.set("any_running", data(!overview.running.empty()));
  values.set("more_running", overview.running.size() > kMostRunning
                                 ? data(std::to_string(overview.running.size() - kMostRunning))
                                 : data(false));
  values.set("failures", failures);
  values.set("failure_count", std::to_string(overview.failure_count));
  values.set("any_failures", data(!overview.failures.empty()));
  values.set("events", events);
  values.set("any_events", data(!overview.events.empty()));
  return whole("nearfar: overview", "overview", "page", overview.stamp, render(overview_, values));
}

std::string Pages::cells(const CellList& list) const {
  data values, rows(data::type::list), states(data::type::list), experiments(data::type::list);
  for (const CellStatus& cell : list.cells) rows.push_back(cell_item(cell));
  states.push_back(option_item("", "any state", list.state.empty()));
  for (int i = 0; i <= static_cast<int>(CellState::not_applicable); ++i) {
    const std::string name(state_name(static_cast<CellState>(i)));
    states.push_back(option_item(name, name, list.state == name));
  }
  experiments.push_back(option_item("", "all experiments", list.experiment.empty()));
  for (const std::string& name : list.experiments)
    experiments.push_back(option_item(name, name, list.experiment == name));
  values.set("rows", rows);
  values.set("any", data(!list.cells.empty()));
  values.set("states", states);
  values.set("experiments", experiments);
  values.set("expression", list.expression);
  values.set("problem", optional_text(list.problem));
  const std::size_t end = list.from + list.cells.size();
  values.set("count", list.cells.size() == list.found
                          ? cells_text(list.found)
                          : fmt::format("cells {} to {} of {}", list.from + 1, end, list.found));
  values.set("before",
             list.from > 0 ? data(pages_link(list, list.from - std::min(list.from, kCellsOnPage))) : data(false));
  values.set("after", end < list.found ? data(pages_link(list, end)) : data(false));
  return whole("nearfar: cells", "cells", "page", "", render(cells_, values));
}

std::string Pages::cell(const CellPage& page) const {
  const CellStatus& status = page.details.status;
  data values = cell_item(status), curves(data::type::list);
  for (const Curve& curve : curves_of(page.details.outcome)) {
    data item;
    item.set("svg", curve_svg(curve));
    curves.push_back(item);
  }
  values.set("started", optional_text(status.started_utc));
  values.set("finished", optional_text(status.finished_utc));
  values.set("flags", optional_text(flags_of(page.details)));
  values.set("curves", curves);
  values.set("any_curves", data(!page.details.outcome.curve.empty()));
  values.set("curves_note", optional_text(curves_note(page.details)));
  values.set("text", page.text);
  values.set("reproduce", optional_text(page.reproduce));
  values.set("log_end", optional_text(page.log_end));
  values.set("log_note", optional_text(page.log_note));
  return whole("nearfar: " + status.label, "cells", "page", "", render(cell_, values));
}

std::string Pages::problem(int status, const std::string& message) const {
  data values;
  values.set("heading", std::string(status == 503   ? "No results to show yet"
                                    : status == 404 ? "Not found"
                                    : status == 400 ? "Not understood"
                                                    : "Something went wrong"));
  values.set("message", message);
  const std::string content = render("<h1>{{heading}}</h1>\n<p class=\"problem\">{{message}}</p>\n", values);
  return whole("nearfar", "", status == 503 ? "answer" : "", "", content);
}

}  // namespace nearfar
