/// The forms: CSV against a hand-written file, and what each of the others must and must not hold.
#include "report/leaderboard_forms.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "report/fake_results.h"
#include "store/session.h"
#include "support/golden.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace nearfar {
namespace {

using testing::all_at, testing::FakeResults, testing::sample, testing::source_dir, testing::subject,
    testing::with_factor;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

class Forms : public ::testing::Test {
 protected:
  Leaderboard load() const { return make_leaderboard(load_results(store_)); }
  std::string html() const { return leaderboard_html(load(), source_dir() / "reports"); }

  void add_hostile_names() {
    for (const std::int64_t seed : {0, 1}) {
      store_.add(subject("ce", seed, "<script>alert('1')</script>", "note=\"a,b\"|{{title}}"),
                 testing::values({0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}));
    }
  }
  /// knn of models that were trained for one epoch, besides those of six.
  void add_one_epoch() {
    for (const std::int64_t seed : {0, 1})
      store_.add(with_factor(subject("ce", seed, "knn"), "train.epochs", std::int64_t{1}), all_at(0.6));
  }

  TempDir folder_;
  FakeResults store_ = sample();
};

TEST_F(Forms, CsvEqualsTheHandWrittenFile) {
  EXPECT_EQ(leaderboard_csv(load()), read_file(source_dir() / "tests" / "report" / "leaderboard.csv"));
}

TEST_F(Forms, OtherFormsEqualTheFilesThatWereLookedAt) {
  testing::expect_golden(leaderboard_markdown(load()), "tests/report/leaderboard.md");
  testing::expect_golden(leaderboard_json(load()), "tests/report/leaderboard.json");
  testing::expect_golden(leaderboard_text(load()), "tests/report/leaderboard.txt");
}

/// The longest line, in characters.
std::size_t width_of(const std::string& table) {
  std::size_t widest = 0;
  for (const std::string& line : split(table, '\n')) {
    std::size_t columns = 0;
    while (clipped(line, columns).size() < line.size()) ++columns;
    widest = std::max(widest, columns);
  }
  return widest;
}

std::string first_table(const std::string& text) {
  const std::size_t begin = text.find('\n') + 1;
  return text.substr(begin, text.find("\n\n") - begin);
}

TEST_F(Forms, TheTerminalsTableFitsTheTerminal) {
  const std::size_t whole = width_of(first_table(leaderboard_text(load())));
  EXPECT_EQ(leaderboard_text(load(), whole), leaderboard_text(load()));
  for (const std::size_t width : {whole - 1, std::size_t{80}, std::size_t{60}}) {
    const std::string text = leaderboard_text(load(), width);
    EXPECT_LE(width_of(first_table(text)), width) << text;
    EXPECT_TRUE(contains(text, fmt::format("Not shown on {} columns: FPR@95", width))) << text;
    EXPECT_TRUE(contains(text, "90.00 ± 0.00")) << text;  // what ranks always stays
  }
}

TEST_F(Forms, CsvFieldsAreNoFormulas) {
  for (const char* name : {"=1+2", "+x", "-x", "@x"}) store_.add(subject("ce", 0, name), all_at(0.5));
  const std::string csv = leaderboard_csv(load());
  for (const char* field : {",'=1+2,", ",'+x,", ",'-x,", ",'@x,"}) EXPECT_TRUE(contains(csv, field)) << csv;
}

TEST_F(Forms, WhatARowCostIsTheMeanOverItsSeeds) {
  for (const std::int64_t seed : {0, 1}) {
    ResultSubject result = subject("ce", seed, "vim");
    result.train_seconds = 10 + 2 * static_cast<double>(seed);
    result.fit_seconds = 1;
    result.score_seconds = 2 + static_cast<double>(seed);
    result.device = "cpu";
    result.tuned = true;
    store_.add(result, all_at(0.7));
  }
  const nlohmann::json board = nlohmann::json::parse(leaderboard_json(load())).at("boards").at(0);
  const auto& rows = board.at("rows");
  const auto row = std::ranges::find_if(rows, [](const auto& r) { return r.at("postprocessor") == "vim"; });
  ASSERT_NE(row, rows.end());
  EXPECT_EQ(row->at("train_seconds"), 11);
  EXPECT_EQ(row->at("score_seconds"), 3.5);
  EXPECT_EQ(row->at("device"), "cpu");
  EXPECT_EQ(row->at("tuned"), true);
}

TEST_F(Forms, TwoEqualExperimentsGiveEqualCsv) {
  FakeResults again = sample();  // in another order
  std::ranges::reverse(again.results);
  EXPECT_EQ(leaderboard_csv(load()), leaderboard_csv(make_leaderboard(load_results(again))));
}

TEST_F(Forms, CsvOfADatabaseOfVersion1IsWhatItsVersionPrinted) {
  const std::filesystem::path golden = source_dir() / "tests" / "golden" / "store_v1";
  const std::filesystem::path copy = folder_.path() / "results.sqlite";  // reading leaves files beside a database
  std::filesystem::copy_file(golden / "results.sqlite", copy);
  const Session session = Session::open_read_only(copy);
  const Leaderboard leaderboard = make_leaderboard(load_results(session.results()));
  EXPECT_EQ(leaderboard_csv(leaderboard), read_file(golden / "leaderboard.csv"));
}

TEST_F(Forms, EveryFormTellsInWhatRowsDiffer) {
  add_one_epoch();
  const std::string csv = leaderboard_csv(load());
  EXPECT_TRUE(contains(csv, "ce,knn,net,tiny,ood,near,mean,auroc,60.0000,0.0000,2,short,train.epochs=1,,\n")) << csv;
  EXPECT_TRUE(contains(csv, "ce,knn,net,tiny,ood,near,mean,auroc,81.0000,1.0000,2,short,train.epochs=6,,\n")) << csv;
  EXPECT_TRUE(contains(csv, "ce,msp,net,tiny,ood,near,mean,auroc,81.0000,1.0000,2,short,,,\n")) << "alone of its name";
  const std::string note = "Rows that differ in train.epochs are shown apart.";
  for (const std::string& text : {leaderboard_text(load()), leaderboard_markdown(load())}) {
    EXPECT_TRUE(contains(text, "ce (train.epochs=1)")) << text;
    EXPECT_TRUE(contains(text, "ce (train.epochs=6)")) << text;
    EXPECT_TRUE(contains(text, note)) << text;
  }
  const std::string page = html();
  EXPECT_TRUE(contains(page, "<small>train.epochs=1</small>"));
  EXPECT_TRUE(contains(page, "<small>train.epochs=6</small>"));
  EXPECT_TRUE(contains(page, note));
  const nlohmann::json board = nlohmann::json::parse(leaderboard_json(load())).at("boards").at(0);
  EXPECT_EQ(board.at("differing_factors"), (std::vector<std::string>{"train.epochs"}));
  std::set<std::string> params;
  for (const nlohmann::json& row : board.at("rows")) params.insert(row.at("training_params"));
  EXPECT_EQ(params, (std::set<std::string>{"", "temperature=0.2", "train.epochs=1", "train.epochs=6"}));
}

TEST_F(Forms, NothingIsToldOfFactorsWhereRowsDifferByName) {
  EXPECT_FALSE(contains(leaderboard_text(load()), "are shown apart"));
}

TEST_F(Forms, SeveralBenchmarksAreToldApart) {
  ResultSubject elsewhere = subject("ce", 0, "knn");
  elsewhere.benchmark = "grand";
  store_.add(elsewhere, all_at(0.6));
  store_.add_gap(CellKind::features, "grand: ce/net/s0 features of test", CellState::crashed, "signal 9", "grand");
  const std::string text = leaderboard_text(load());
  EXPECT_TRUE(contains(text, "grand, protocol ood (percent; seeds 0; data d47a)\n")) << text;
  EXPECT_TRUE(contains(text, "tiny, protocol ood (percent; seeds 0, 1; data d47a)\n")) << text;
  EXPECT_TRUE(contains(text, "No result: tiny: ce/net/s1 mds (failed: singular covariance).")) << text;
  EXPECT_TRUE(contains(text, "No result: grand: ce/net/s0 features of test (crashed: signal 9).")) << text;
  EXPECT_TRUE(contains(html(), "<title>grand, tiny: nearfar leaderboard</title>"));
}

TEST_F(Forms, HtmlTellsManifestsOfOneBenchmarkApart) {
  EXPECT_FALSE(contains(html(), "data d47a"));
  ResultSubject other = subject("ce", 0, "knn");
  other.data_hash = "0742";
  store_.add(other, all_at(0.6));
  EXPECT_TRUE(contains(html(), "data d47a"));
  EXPECT_TRUE(contains(html(), "data 0742"));
}

TEST_F(Forms, OnlyCellsThatAreWaitedForAreToldOf) {
  EXPECT_FALSE(contains(leaderboard_text(load()), "have not finished"));
  store_.waiting = 3;
  EXPECT_TRUE(contains(leaderboard_text(load()), "3 cells have not finished yet."));
  const Leaderboard tiny = make_leaderboard(load_results(store_, {.benchmark = "tiny"}));
  EXPECT_TRUE(contains(leaderboard_text(tiny), "3 cells of all benchmarks together have not finished yet."));
}

TEST_F(Forms, CsvQuotesOnlyWhatNeedsIt) {
  add_hostile_names();
  const std::string csv = leaderboard_csv(load());
  EXPECT_TRUE(contains(csv, "ce,<script>alert('1')</script>,net,"));
  EXPECT_TRUE(contains(csv, ",\"note=\"\"a,b\"\"|{{title}}\",\n"));
}

TEST_F(Forms, JsonIsOneDocumentWithFractions) {
  const nlohmann::json document = nlohmann::json::parse(leaderboard_json(load()));
  const nlohmann::json& row = document.at("boards").at(0).at("rows").at(0);
  EXPECT_EQ(row.at("training"), "supcon");
  EXPECT_EQ(row.at("rank"), 1);
  EXPECT_EQ(row.at("seeds"), (std::vector<int>{0, 1}));
  EXPECT_EQ(row.at("numbers").at(0).at("mean"), 0.94);
  EXPECT_TRUE(document.at("boards").at(0).at("rows").back().at("rank").is_null());
  EXPECT_EQ(document.at("not_applicable").size(), 2u);
}

TEST_F(Forms, TextShowsRanksMeansAndReasons) {
  const std::string text = leaderboard_text(load());
  EXPECT_TRUE(contains(text, "90.00 ± 0.00")) << text;
  EXPECT_TRUE(contains(text, "supcon (temperature=0.2)")) << text;
  EXPECT_TRUE(contains(text, "94.00 ± 0.00 (ncm)")) << text;
  EXPECT_TRUE(contains(text, "1; other seeds")) << text;
  EXPECT_TRUE(contains(text, "Not applicable: supcon/net msp (msp needs logits")) << text;
  EXPECT_TRUE(contains(text, "No result: ce/net/s1 mds (failed: singular covariance)")) << text;
}

TEST_F(Forms, TheControlIsMarkedInEveryForm) {
  for (const std::int64_t seed : {0, 1}) {
    store_.add(subject("ce", seed, "random"), testing::values({0.5, 0.5, 0.5, 0.5}, {0.95, 0.95, 0.95, 0.95}));
  }
  EXPECT_TRUE(
      contains(leaderboard_csv(load()), "ce,random,net,tiny,ood,near,mean,auroc,50.0000,0.0000,2,short,,,control\n"));
  EXPECT_TRUE(contains(leaderboard_text(load()), "2; control"));
  EXPECT_TRUE(contains(leaderboard_text(load()), "or are the control, whose scores are random numbers"));
  EXPECT_TRUE(contains(leaderboard_markdown(load()), "| 2; control |"));
  const nlohmann::json document = nlohmann::json::parse(leaderboard_json(load()));
  bool found = false;
  for (const nlohmann::json& row : document.at("boards").at(0).at("rows")) {
    if (row.at("postprocessor") != "random") continue;
    found = true;
    EXPECT_EQ(row.at("flags"), "control");
    EXPECT_TRUE(row.at("rank").is_null());
  }
  EXPECT_TRUE(found);
  const std::string page = html();
  const std::size_t control = page.find("random");
  ASSERT_NE(control, std::string::npos);
  EXPECT_TRUE(contains(page.substr(control, 4000), ">control<")) << page.substr(control, 2000);
}

TEST_F(Forms, MarkdownCellsCannotBreakTheTable) {
  add_hostile_names();
  const std::string markdown = leaderboard_markdown(load());
  EXPECT_FALSE(contains(markdown, "<script>"));
  for (const std::string& line : split(markdown, '\n')) {
    if (!line.starts_with("|")) continue;
    EXPECT_EQ(split(replace_all(line, "\\|", ""), '|').size(), 11u) << line;
  }
}

TEST_F(Forms, EmptyDatabaseMakesAPageThatSaysSo) {
  const Leaderboard empty = make_leaderboard(load_results(store_, {.experiment = "none"}));
  EXPECT_TRUE(contains(leaderboard_html(empty, source_dir() / "reports"), "No results yet"));
  EXPECT_TRUE(contains(leaderboard_text(empty), "no results yet"));
  EXPECT_EQ(split(trim(leaderboard_csv(empty)), '\n').size(), 1u);
}

TEST_F(Forms, MissingTemplateIsAnErrorThatNamesIt) {
  try {
    leaderboard_html(load(), folder_.path());
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_TRUE(contains(error.what(), "leaderboard.html.mustache")) << error.what();
  }
}

}  // namespace
}  // namespace nearfar
