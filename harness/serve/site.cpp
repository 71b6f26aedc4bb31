#include "serve/site.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "report/cell_json.h"
#include "report/leaderboard_forms.h"
#include "report/workload.h"
#include "serve/curves.h"
#include "serve/log_tail.h"
#include "serve/overview.h"
#include "serve/pages.h"
#include "store/address.h"
#include "store/selection.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <optional>

namespace nearfar {
namespace {

using nlohmann::json;

constexpr const char* kHtml = "text/html; charset=utf-8";
constexpr const char* kJson = "application/json";

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::nothing:
      return 404;
    case ErrorKind::config:
      return 400;
    case ErrorKind::store:
      return 503;
    default:
      return 500;
  }
}

[[noreturn]] void not_found(const std::string& path) {
  throw Error(ErrorKind::nothing, fmt::format("{}: there is no such page", path.substr(0, 200)));
}

/// The key in "PREFIXkeySUFFIX", or "" where `path` is not that.
std::string key_in(const std::string& path, std::string_view prefix, std::string_view suffix) {
  constexpr std::size_t kShortest = 4, kLongest = 64;
  if (!path.starts_with(prefix) || !path.ends_with(suffix) || path.size() < prefix.size() + suffix.size()) return "";
  const std::string key = path.substr(prefix.size(), path.size() - prefix.size() - suffix.size());
  const bool is_hex = std::ranges::all_of(key, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return is_hex && key.size() >= kShortest && key.size() <= kLongest ? key : "";
}

std::optional<std::string> maybe(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

std::size_t number_of(const std::string& text, std::string_view name) {
  std::size_t number = 0;
  if (text.empty()) return 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(ErrorKind::config, fmt::format("{}: found '{}', expected a number", name, text.substr(0, 50)));
  return number;
}

/// Cells in one state now: one whose process is gone counts as planned.
std::vector<CellStatus> cells_in(const ResultStore& results, const std::optional<std::string>& experiment,
                                 const std::string& state) {
  if (state.empty()) return cells_now(results, experiment);
  const auto known = [&]() -> std::optional<CellState> {
    for (int i = 0; i <= static_cast<int>(CellState::not_applicable); ++i) {
      if (state_name(static_cast<CellState>(i)) == state) return static_cast<CellState>(i);
    }
    return std::nullopt;
  }();
  if (!known) throw Error(ErrorKind::config, fmt::format("state: found '{}', expected one like ok or failed", state));
  std::vector<CellState> stored{*known};
  if (*known == CellState::planned) stored.push_back(CellState::running);
  std::vector<CellStatus> cells = cells_now(results, experiment, stored);
  std::erase_if(cells, [&](const CellStatus& cell) { return cell.state != *known; });
  return cells;
}

}  // namespace

struct Site::Impl {
  /// A leaderboard as it was answered last.
  struct Board {
    std::string stamp = {}, type = {}, body = {}, etag = {}, policy = {};
  };

  explicit Impl(SiteOptions given)
      : options(std::move(given)), guard(options.host, options.token, options.names), pages(options.templates) {}

  HttpResponse answer(const HttpRequest& request) {
    if (std::optional<HttpResponse> refusal = guard.refusal(request)) return std::move(*refusal);
    try {
      return routed(request);
    } catch (const Error& error) {
      return problem(request, status_of(error.kind()), error.what());
    } catch (const std::exception& error) {
      return problem(request, 500, error.what());
    }
  }

  HttpResponse routed(const HttpRequest& request) {
    const std::string& path = request.path;
    if (path == "/") return page(pages.overview(overview()));
    if (path == "/api/status.json") return document(overview_json(overview()));
    if (path == "/leaderboard" || path == "/api/leaderboard.json") return leaderboard(request);
    if (path == "/cells") return cells(request);
    if (path == "/healthz") return health();
    if (const std::string key = key_in(path, "/cell/", ""); !key.empty()) return cell(key);
    if (const std::string key = key_in(path, "/api/cell/", ".json"); !key.empty()) return cell_document(key);
    if (const std::string key = key_in(path, "/api/curve/", ".json"); !key.empty()) {
      const Session session = open();
      return document(curves_json(found(session, key)));
    }
    not_found(path);
  }

  Session open() const { return Session::open_read_only(options.database); }

  HttpResponse page(std::string body) const {
    return {.type = kHtml, .body = std::move(body), .headers = {{"Content-Security-Policy", pages.policy()}}};
  }
  static HttpResponse document(std::string body) { return {.type = kJson, .body = std::move(body)}; }

  HttpResponse problem(const HttpRequest& request, int status, const std::string& message) const {
    HttpResponse response;
    if (request.path.starts_with("/api/")) {
      response = document(json{{"error", message}}.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
    } else if (request.path == "/healthz") {
      response.body = "the database cannot be read\n";  // whoever asks this needs not know more
    } else {
      response = page(pages.problem(status, message));
    }
    response.status = status;
    return response;
  }

  Overview overview() const {
    const Session session = open();
    return load_overview(session.results(), session.name());
  }

  HttpResponse health() const {
    const Session session = open();
    session.results().stamp();
    return {.body = "ok\n"};
  }

  CellDetails found(const Session& session, const std::string& key) const {
    std::optional<CellDetails> details = session.results().find(key);
    if (!details) throw Error(ErrorKind::nothing, fmt::format("there is no cell '{}'; /cells lists them", key));
    return std::move(*details);
  }

  HttpResponse cell(const std::string& key) const {
    const Session session = open();
    CellPage shown{.details = found(session, key)};
    shown.reproduce = options.reproduce(session.results(), shown.details);
    shown.text = options.describe(shown.details, shown.reproduce);
    const std::string& log = shown.details.status.log_file;
    if (log.empty()) {
      shown.log_note = "None: it has not been tried.";
    } else if (std::optional<std::string> end = log_tail(std::filesystem::absolute(log))) {
      shown.log_note = end->empty() ? log + ": nothing is in it yet." : log + ":";
      shown.log_end = std::move(*end);
    } else {
      shown.log_note = log + ": not on this machine, or gone.";
    }
    return page(pages.cell(shown));
  }

  HttpResponse cell_document(const std::string& key) const {
    const Session session = open();
    const CellDetails details = found(session, key);
    const std::string reproduce = options.reproduce(session.results(), details);
    return document(details_json(details, reproduce).dump(2, ' ', false, json::error_handler_t::replace) + "\n");
  }

  HttpResponse cells(const HttpRequest& request) const {
    const Session session = open();
    CellList list{.experiment = request.argument("experiment"),
                  .state = request.argument("state"),
                  .expression = request.argument("k")};
    list.experiments = session.results().experiments();
    int status = 200;
    try {
      const Selection selection(list.expression);
      list.from = number_of(request.argument("from"), "from");
      list.cells = cells_in(session.results(), maybe(list.experiment), list.state);
      std::erase_if(list.cells,
                    [&](const CellStatus& one) { return !selection.matches(one.label, one.kind, one.key); });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::config) throw;
      list.problem = error.what();
      status = 400;
    }
    list.found = list.cells.size();
    const auto first = list.cells.begin() + static_cast<std::ptrdiff_t>(std::min(list.from, list.found));
    list.cells.erase(list.cells.begin(), first);
    if (list.cells.size() > kCellsOnPage) list.cells.resize(kCellsOnPage);
    HttpResponse response = page(pages.cells(list));
    response.status = status;
    return response;
  }

  HttpResponse leaderboard(const HttpRequest& request) {
    const ReportFilter filter{maybe(request.argument("experiment")), maybe(request.argument("benchmark")),
                              maybe(request.argument("protocol"))};
    const bool as_json = request.path != "/leaderboard";
    const std::string name =
        json{as_json, filter.experiment.value_or(""), filter.benchmark.value_or(""), filter.protocol.value_or("")}.dump(
            -1, ' ', false, json::error_handler_t::replace);
    // One at a time: a thousand rows take a while, and whoever waits finds them done.
    const std::lock_guard lock(mutex);
    const Session session = open();
    const std::string stamp = session.results().stamp();
    if (boards.size() > kMostBoards) boards.clear();
    Board& board = boards[name];
    if (board.stamp != stamp) {
      try {
        board = make_board(session, filter, as_json, stamp);
      } catch (...) {
        boards.erase(name);
        throw;
      }
    }
    HttpResponse response{.type = board.type, .headers = {{"ETag", board.etag}}};
    if (!board.policy.empty()) response.headers.emplace_back("Content-Security-Policy", board.policy);
    if (has_tag(request.if_none_match, board.etag))
      response.status = 304;
    else
      response.body = board.body;
    return response;
  }

  Board make_board(const Session& session, const ReportFilter& filter, bool as_json, const std::string& stamp) const {
    const ResultStore& results = session.results();
    const std::vector<std::string> experiments = results.experiments();
    if (filter.experiment && std::ranges::find(experiments, *filter.experiment) == experiments.end()) {
      throw Error(ErrorKind::nothing, fmt::format("there is no experiment '{}'; there are: {}",
                                                  filter.experiment->substr(0, 200), join(experiments, ", ")));
    }
    const Results loaded = load_results(results, filter);
    const Leaderboard leaderboard = options.leaderboard(session, loaded);
    Board board{.stamp = stamp};
    if (as_json) {
      board.type = kJson;
      board.body = leaderboard_json(leaderboard);
    } else {
      board.type = kHtml;
      const auto figures =
          options.figures ? options.figures(session, loaded, leaderboard) : std::vector<std::vector<plot::Figure>>{};
      std::string html = leaderboard_html(leaderboard, options.templates, figures);
      board.policy = pages.leaderboard_policy(html);
      board.body = pages.leaderboard(std::move(html), experiments, filter.experiment.value_or(""), stamp);
    }
    board.etag = fmt::format("W/\"{}\"", sha256(board.body).substr(0, 32));  // weak: it may be compressed on its way
    return board;
  }

  static bool has_tag(const std::string& wanted, const std::string& etag) {
    const std::vector<std::string> tags = split(wanted, ',');
    return std::ranges::any_of(tags, [&](const std::string& tag) { return trim(tag) == etag || trim(tag) == "*"; });
  }

  static constexpr std::size_t kMostBoards = 16;

  const SiteOptions options;
  const Guard guard;
  const Pages pages;
  std::mutex mutex;
  std::map<std::string, Board> boards;
};

Site::Site(SiteOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Site::~Site() = default;

HttpResponse Site::respond(const HttpRequest& request) const {
  HttpResponse response = impl_->answer(request);
  const bool has_policy = std::ranges::any_of(
      response.headers, [](const auto& header) { return header.first == "Content-Security-Policy"; });
  if (!has_policy)
    response.headers.emplace_back("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  for (const auto& [name, value] :
       {std::pair("X-Content-Type-Options", "nosniff"), std::pair("X-Frame-Options", "DENY"),
        std::pair("Referrer-Policy", "no-referrer"), std::pair("Cross-Origin-Resource-Policy", "same-origin"),
        std::pair("Cross-Origin-Opener-Policy", "same-origin"), std::pair("Cache-Control", "private, no-cache")})
    response.headers.emplace_back(name, value);
  return response;
}

}  // namespace nearfar
