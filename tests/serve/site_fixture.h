#pragma once
/// A site over the sample database (store/sample.h) in a folder of its own.
#include "base/files.h"
#include "serve/site.h"
#include "store/sample.h"
#include "support/golden.h"

#include <gtest/gtest.h>

#include <string>

namespace nearfar::testing {

inline std::string header(const HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

class SiteTest : public ::testing::Test {
 protected:
  SiteTest() { fill_sample(session_); }

  static HttpRequest asking(const std::string& path, std::map<std::string, std::string> query = {}) {
    return {.path = path, .query = std::move(query), .host = "localhost:8080"};
  }
  HttpResponse get(const std::string& path, std::map<std::string, std::string> query = {}) const {
    return site_.respond(asking(path, std::move(query)));
  }
  /// A cell of the sample that a second experiment claims and holds.
  std::string start_one(const CellRecord& cell) {
    const std::int64_t experiment = session_.planning().put_experiment(sample_experiment("second", "c1"));
    put(session_, experiment, {cell});
    RunContext with = context();
    with.location = session_.planning().put_location(folder_.path());
    with.log_file = "engine.log";
    return session_.queue().claim(cell.key, with).value().run_uid;
  }
  static SiteOptions options(const std::filesystem::path& database) {
    return {.database = database,
            .templates = source_dir() / "reports",
            .leaderboard = [](const Session&, const Results& results) { return make_leaderboard(results); },
            .reproduce = [](const ResultStore&, const CellDetails&) { return std::string("nearfar run again"); },
            .describe = [](const CellDetails& details,
                           const std::string& reproduce) { return details.status.label + " " + reproduce; }};
  }

  TempDir folder_;
  std::filesystem::path file_ = folder_.path() / "results.sqlite";
  Session session_ = Session::open(file_);
  Site site_{options(file_)};
};

}  // namespace nearfar::testing
