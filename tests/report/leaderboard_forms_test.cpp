/// The forms: CSV against a hand-written file, and what each of the others must and must not hold.
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "report/leaderboard.h"
#include "store/sample.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {

using testing::eval_cell, testing::eval_result, testing::run_eval, testing::source_dir, testing::train_cell;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

class Forms : public ::testing::Test {
 protected:
  void SetUp() override { testing::fill_sample(store_); }
  Leaderboard load() const { return load_leaderboard(store_); }
  std::string html() const { return leaderboard_html(load(), source_dir() / "reports"); }

  void add_hostile_names() {
    const std::int64_t experiment = store_.put_experiment("sample", "canonical", "c0");
    for (const std::int64_t seed : {0, 1}) {
      const CellRecord cell =
          eval_cell(train_cell("ce", seed), "<script>alert('1')</script>", "note=\"a,b\"|{{title}}");
      store_.put_cell(experiment, cell, 100);
      run_eval(store_, cell, eval_result({0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}));
    }
  }

  TempDir folder_;
  Store store_ = Store::open(folder_.path() / "results.sqlite");
};

TEST_F(Forms, CsvEqualsTheHandWrittenFile) {
  EXPECT_EQ(leaderboard_csv(load()), read_file(source_dir() / "tests" / "report" / "leaderboard.csv"));
}

TEST_F(Forms, TwoEqualExperimentsGiveEqualCsv) {
  Store again = Store::open(folder_.path() / "again.sqlite");
  testing::fill_sample(again);
  EXPECT_EQ(leaderboard_csv(load()), leaderboard_csv(load_leaderboard(again)));
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
  const std::int64_t experiment = store_.put_experiment("sample", "canonical", "c0");
  for (const std::int64_t seed : {0, 1}) {
    const CellRecord cell = eval_cell(train_cell("ce", seed), "random");
    store_.put_cell(experiment, cell, 100);
    run_eval(store_, cell, eval_result({0.5, 0.5, 0.5, 0.5}, {0.95, 0.95, 0.95, 0.95}));
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

TEST_F(Forms, HtmlEscapesHostileNames) {
  add_hostile_names();
  const std::string page = html();
  EXPECT_FALSE(contains(page, "<script>alert"));
  EXPECT_TRUE(contains(page, "&lt;script&gt;alert(&apos;1&apos;)&lt;/script&gt;"));
  EXPECT_TRUE(contains(page, "note=&quot;a,b&quot;|{{title}}")) << "values are no templates";
}

TEST_F(Forms, HtmlNeedsNothingFromElsewhere) {
  const std::string page = html();
  for (const char* part : {"http://", "https://", "src=", "<link", "@import", "url("})
    EXPECT_FALSE(contains(page, part)) << part;
}

TEST_F(Forms, HtmlShowsEverySetWithItsGroup) {
  const std::string page = html();
  for (const char* part : {"Near-OOD", "Far-OOD", "Control", "cousins", "digits", "letters", "noise", "uniform noise",
                           "aria-sort=\"ascending\"", "scope=\"colgroup\"", "scope=\"row\"", "other seeds",
                           "1.0.0, source 4nn50urce", "data manifest d47a"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
}

TEST_F(Forms, EmptyDatabaseMakesAPageThatSaysSo) {
  const Leaderboard empty = load_leaderboard(store_, {.experiment = "none"});
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
