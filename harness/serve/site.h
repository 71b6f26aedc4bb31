#pragma once
/// What `nearfar serve` answers: pages and JSON about one database, which somebody may be writing. Every answer opens
/// the database for reading and closes it again; nothing takes the write lock. Safe from any thread.
///
///   /                       what is done, at work and still to do, and what failed last
///   /leaderboard            ?experiment= &benchmark= &protocol=: the page of `report leaderboard --html`
///   /cells                  ?experiment= &state= &k=EXPR &from=N: a list of cells
///   /cell/KEY               what `show` says, curves, the end of the log; KEY: 4 to 64 digits of a key
///   /api/status.json  /api/leaderboard.json  /api/cell/KEY.json  /api/curve/KEY.json
///   /healthz                200 "ok", or 503 where the database cannot be read
///
/// What is not there is 404, a request that cannot be understood 400, a database that cannot be read 503: as a page, or
/// beneath /api as {"error": …}.
#include "plot/figure.h"
#include "report/leaderboard.h"
#include "report/results.h"
#include "serve/guard.h"
#include "serve/http.h"
#include "store/results.h"
#include "store/session.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {

struct SiteOptions {
  std::filesystem::path database;       ///< as --db names it; need not be there yet
  std::filesystem::path templates;      ///< reports/ of the installation
  std::string host = "127.0.0.1";       ///< what is listened on: decides who may ask (guard.h)
  std::string token = {};               ///< "" = none
  std::vector<std::string> names = {};  ///< further names of this server
  /// What `report` makes its forms of.
  std::function<Leaderboard(const Session& session, const Results& results)> leaderboard;
  /// Of each of its boards. May be empty: no figures.
  std::function<std::vector<std::vector<plot::Figure>>(const Session& session, const Results& results,
                                                       const Leaderboard& leaderboard)>
      figures = {};
  /// The command that makes a cell again, and what `show` prints.
  std::function<std::string(const ResultStore& results, const CellDetails& cell)> reproduce;
  std::function<std::string(const CellDetails& cell, const std::string& reproduce)> describe;
};

class Site {
 public:
  /// Error(config) as Guard; Error(data) where a template cannot be read.
  explicit Site(SiteOptions options);
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  /// Never throws.
  HttpResponse respond(const HttpRequest& request) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nearfar
