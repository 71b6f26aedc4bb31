#include "serve/site.h"

#include "report/leaderboard.h"
#include "report/leaderboard_forms.h"
#include "report/results.h"
#include "serve/pages.h"
#include "serve/site_fixture.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace nearfar::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(SiteTest, StatusCountsTheCellsOfEachExperiment) {
  // store/sample.h: of 18 cells 15 are ok, 2 do not apply, 1 has failed.
  const json status = json::parse(get("/api/status.json").body);
  const json& one = status["experiments"][0];
  EXPECT_EQ(one["name"], "sample");
  EXPECT_EQ(one["states"], json({{"failed", 1}, {"not-applicable", 2}, {"ok", 15}}));
  EXPECT_EQ(one["total"], 18);
  EXPECT_EQ(one["ended_well"], 17);
  EXPECT_TRUE(one["remaining_seconds"].is_null());
  EXPECT_EQ(status["failures"][0]["label"], "ce/net/s1 mds");
  EXPECT_EQ(status["failures"][0]["message"], "singular covariance");
  EXPECT_TRUE(status["running"].empty());
}

TEST_F(SiteTest, SeesACellStartAndEnd) {
  const std::string before = json::parse(get("/api/status.json").body)["stamp"];
  EXPECT_EQ(json::parse(get("/api/status.json").body)["stamp"], before);
  const CellRecord cell = train_cell("late", 7);
  const std::string run = start_one(cell);
  const json during = json::parse(get("/api/status.json").body);
  ASSERT_EQ(during["running"].size(), 1U);
  EXPECT_EQ(during["running"][0]["key"], cell.key);
  EXPECT_EQ(during["experiments"][1]["engines"], 1);
  EXPECT_TRUE(during["experiments"][1]["remaining_seconds"].is_number());
  EXPECT_THAT(get("/").body, HasSubstr("late/net/s7"));
  Outcome outcome = train_result();
  outcome.curve = {{"train_loss", 0, 1.5}, {"train_loss", 1, 0.5}};
  session_.queue().finish(run, outcome);
  const json after = json::parse(get("/api/status.json").body);
  EXPECT_TRUE(after["running"].empty());
  EXPECT_NE(after["stamp"], during["stamp"]);
  EXPECT_NE(during["stamp"], before);
  const json curve = json::parse(get("/api/curve/" + cell.key + ".json").body);
  EXPECT_EQ(curve["curves"][0]["points"], json::parse("[[0, 1.5], [1, 0.5]]"));
  EXPECT_THAT(get("/cell/" + cell.key).body, HasSubstr("<title>train_loss</title>"));
}

TEST_F(SiteTest, TheBoardIsThatOfReport) {
  const Leaderboard leaderboard = make_leaderboard(load_results(session_.results()));
  const HttpResponse response = get("/api/leaderboard.json");
  EXPECT_EQ(response.body, leaderboard_json(leaderboard));
  EXPECT_EQ(get("/api/leaderboard.json", {{"benchmark", "other"}}).status, 200);
  EXPECT_NE(get("/api/leaderboard.json", {{"benchmark", "other"}}).body, response.body);
  EXPECT_EQ(get("/api/leaderboard.json", {{"experiment", "nobody"}}).status, 404);
}

TEST_F(SiteTest, AnUnchangedBoardIsNotSentAgain) {
  for (const char* path : {"/api/leaderboard.json", "/leaderboard"}) {
    HttpRequest request = asking(path);
    const std::string tag = header(site_.respond(request), "ETag");
    ASSERT_FALSE(tag.empty());
    request.if_none_match = "\"other\", " + tag;
    const HttpResponse same = site_.respond(request);
    EXPECT_EQ(same.status, 304);
    EXPECT_EQ(same.body, "");
    EXPECT_EQ(header(same, "ETag"), tag);
    EXPECT_NE(header(same, "Content-Security-Policy"), "");
  }
  HttpRequest request = asking("/api/leaderboard.json");
  request.if_none_match = header(site_.respond(request), "ETag");
  session_.planning().plan_again(eval_cell(train_cell("ce", 1), "mds").key, "once more");
  run(session_, eval_cell(train_cell("ce", 1), "mds"), eval_result({0.5, 0.5, 0.5, 1}, {0.5, 0.5, 0.5, 0}));
  EXPECT_EQ(site_.respond(request).status, 200);
}

/// Every inline <tag> of a page, as the policy has to name it.
std::vector<std::string> hashes_of(const std::string& html, const std::string& tag) {
  std::vector<std::string> hashes;
  const std::string open = "<" + tag + ">", close = "</" + tag + ">";
  for (std::size_t at = html.find(open); at != std::string::npos; at = html.find(open, at + 1)) {
    const std::size_t begin = at + open.size();
    hashes.push_back(policy_hash(html.substr(begin, html.find(close, begin) - begin)));
  }
  return hashes;
}

TEST_F(SiteTest, ScriptsAndStylesOfAPageAreThoseThatItsPolicyNames) {
  Outcome outcome = train_result();
  outcome.curve = {{"train_loss", 0, 1.5}, {"train_loss", 1, 0.5}};
  const CellRecord trained = train_cell("late", 7);
  session_.queue().finish(start_one(trained), outcome);
  for (const std::string& path :
       std::vector<std::string>{"/", "/cells", "/leaderboard", "/cell/" + trained.key, "/nothing"}) {
    const HttpResponse response = get(path);
    const std::string policy = header(response, "Content-Security-Policy");
    EXPECT_THAT(policy, HasSubstr("default-src 'none'")) << path;
    EXPECT_THAT(policy, HasSubstr("connect-src 'self'")) << path;
    EXPECT_THAT(policy, Not(HasSubstr("script-src 'unsafe"))) << path;
    std::vector<std::string> hashes = hashes_of(response.body, "script");
    EXPECT_FALSE(hashes.empty()) << path;
    if (policy.find("style-src 'unsafe-inline'") == std::string::npos) {
      for (const std::string& hash : hashes_of(response.body, "style")) hashes.push_back(hash);
    }
    for (const std::string& hash : hashes) EXPECT_THAT(policy, HasSubstr(hash)) << path;
    EXPECT_EQ(response.body.find("http-equiv=\"Content-Security-Policy\""), std::string::npos) << path;
  }
}

TEST_F(SiteTest, APolicyThatThePageHasBecomesTheHeadersWithWhatOurScriptNeeds) {
  const Pages pages(source_dir() / "reports");
  const std::string html =
      "<html><head><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src "
      "'sha256-abc='; style-src 'unsafe-inline'\"></head><body class=\"x\"><p>board</p></body></html>";
  const std::string policy = pages.leaderboard_policy(html);
  EXPECT_THAT(policy, HasSubstr("default-src 'none'; script-src 'sha256-abc=' 'sha256-"));
  EXPECT_THAT(policy, HasSubstr("; connect-src 'self'"));
  const std::string served = pages.leaderboard(html, {"a", "b<"}, "a", "s\"1");
  EXPECT_THAT(served, Not(HasSubstr("<meta")));
  EXPECT_THAT(served, HasSubstr("<body class=\"x\">\n<nav"));
  EXPECT_THAT(served, HasSubstr("experiment=b%3C\">b&lt;</a>"));
  EXPECT_THAT(served, HasSubstr("data-stamp=\"s&quot;1\""));
}

TEST_F(SiteTest, CellsAreChosenByStateAndExpression) {
  EXPECT_THAT(get("/cells").body, HasSubstr("18 cells"));
  EXPECT_THAT(get("/cells", {{"state", "failed"}}).body, HasSubstr("1 cell<"));
  EXPECT_THAT(get("/cells", {{"k", "knn and not s0"}}).body, HasSubstr("2 cells"));
  EXPECT_THAT(get("/cells", {{"experiment", "nobody"}}).body, HasSubstr("No cell is like this"));
  for (const auto& [name, value] : {std::pair("k", "(<b>"), std::pair("state", "<b>"), std::pair("from", "-1")}) {
    const HttpResponse refused = get("/cells", {{name, value}});
    EXPECT_EQ(refused.status, 400) << name;
    EXPECT_THAT(refused.body, Not(HasSubstr("<b>"))) << name;
  }
}

TEST_F(SiteTest, WhatIsNotThereIs404) {
  for (const char* path : {"/nothing", "/cell/", "/cell/../../etc/passwd", "/cell/..", "/cell/ffff", "/cell/FFFF0000",
                           "/api/cell/.json", "/api/cell/ffff.json", "/api/curve/%2e%2e.json", "/api/", "//", ""}) {
    const HttpResponse response = get(path);
    EXPECT_EQ(response.status, 404) << path;
    if (std::string(path).starts_with("/api/")) {
      EXPECT_TRUE(json::parse(response.body).contains("error")) << path;
    }
  }
}

TEST_F(SiteTest, ADatabaseThatIsNotThereIs503UntilItComes) {
  const std::filesystem::path later = folder_.path() / "later.sqlite";
  const Site site(options(later));
  for (const char* path : {"/", "/leaderboard", "/cells", "/api/status.json", "/healthz"})
    EXPECT_EQ(site.respond(asking(path)).status, 503) << path;
  EXPECT_THAT(site.respond(asking("/")).body, HasSubstr("http-equiv=\"refresh\""));
  EXPECT_THAT(site.respond(asking("/healthz")).body, Not(HasSubstr("later.sqlite")));
  EXPECT_FALSE(std::filesystem::exists(later));
  Session made = Session::open(later);
  EXPECT_EQ(site.respond(asking("/")).status, 200);
  EXPECT_EQ(site.respond(asking("/healthz")).body, "ok\n");
}

TEST_F(SiteTest, NamesFromTheDatabaseAreText) {
  CellRecord cell = train_cell("<img src=x onerror=alert(1)>", 0);
  cell.benchmark = "tiny";
  start_one(cell);
  session_.queue().event("warn", cell.key, "<script>alert(2)</script>\xff");
  write_file_atomic(folder_.path() / "engine.log", "</pre><script>alert(3)</script>\n");
  for (const std::string& path : std::vector<std::string>{"/", "/cells", "/cell/" + cell.key}) {
    const HttpResponse response = get(path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_THAT(response.body, Not(HasSubstr("<img"))) << path;
    EXPECT_THAT(response.body, Not(HasSubstr("<script>alert"))) << path;
    EXPECT_THAT(response.body, HasSubstr("&lt;img src=x")) << path;
  }
  EXPECT_THAT(get("/cell/" + cell.key).body, HasSubstr("&lt;script&gt;alert(3)"));
  EXPECT_TRUE(json::accept(get("/api/status.json").body));
}

TEST_F(SiteTest, ShowsNoFileButALog) {
  CellRecord cell = train_cell("ce", 9);
  const std::int64_t experiment = session_.planning().put_experiment(sample_experiment("third", "c3"));
  put(session_, experiment, {cell});
  write_file_atomic(folder_.path() / "private.txt", "private words\n");
  std::filesystem::create_symlink(folder_.path() / "private.txt", folder_.path() / "link.log");
  for (const char* log : {"private.txt", "link.log", "../private.log", "missing.log"}) {
    RunContext with = context();
    with.location = session_.planning().put_location(folder_.path());
    with.log_file = log;
    const std::string run = session_.queue().claim(cell.key, with).value().run_uid;
    const std::string body = get("/cell/" + cell.key).body;
    EXPECT_THAT(body, Not(HasSubstr("private words"))) << log;
    EXPECT_THAT(body, HasSubstr("not on this machine, or gone")) << log;
    session_.queue().hand_back(run, "again");
  }
}

TEST_F(SiteTest, EveryAnswerHasTheHeadersThatKeepOthersOut) {
  HttpRequest stranger = asking("/");
  stranger.host = "evil.example";
  for (const HttpResponse& response : {get("/"), get("/nothing"), get("/api/status.json"), site_.respond(stranger)}) {
    EXPECT_EQ(header(response, "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(header(response, "X-Frame-Options"), "DENY");
    EXPECT_EQ(header(response, "Referrer-Policy"), "no-referrer");
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "");
    EXPECT_THAT(header(response, "Content-Security-Policy"), HasSubstr("default-src 'none'"));
  }
}

TEST_F(SiteTest, NothingIsWritten) {
  session_.in_transaction([&] {  // somebody holds the write lock
    for (const char* path : {"/", "/leaderboard", "/cells", "/api/status.json"})
      EXPECT_EQ(get(path).status, 200) << path;
  });
}

}  // namespace
}  // namespace nearfar::testing
