/// The HTML page without a browser: what stands in it for readers without scripts, the data for the script, the policy.
/// tests/e2e/page_test.py opens it.
#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "report/fake_results.h"
#include "report/leaderboard_forms.h"
#include "report/page_board.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nearfar {
namespace {

using testing::FakeResults, testing::sample, testing::source_dir, testing::subject;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// From the first `begin` to the next `end`, without them.
std::string between(const std::string& text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  if (from == std::string::npos) return "";
  const std::size_t start = from + begin.size();
  return text.substr(start, text.find(end, start) - start);
}

class Page : public ::testing::Test {
 protected:
  Leaderboard load() const { return make_leaderboard(load_results(store_)); }
  std::string html() const { return leaderboard_html(load(), source_dir() / "reports"); }
  std::string table() const {
    const Leaderboard leaderboard = load();
    return page_table(page_board(leaderboard, leaderboard.boards.at(0)));
  }
  nlohmann::json data() const {
    const Leaderboard leaderboard = load();
    return nlohmann::json::parse(page_data(page_board(leaderboard, leaderboard.boards.at(0))));
  }
  void add_hostile_names() {
    for (const std::int64_t seed : {0, 1}) {
      store_.add(subject("ce", seed, "<script>alert('1')</script>\xe2\x80\xa8", "note=\"a,b\"|{{title}}"),
                 testing::values({0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}));
    }
  }

  FakeResults store_ = sample();
};

TEST_F(Page, OfReadersWithoutScriptsEqualsTheFileThatWasLookedAt) {
  testing::expect_golden(table(), "tests/report/leaderboard_table.html");
}

TEST_F(Page, HostileNamesAreText) {
  add_hostile_names();
  const std::string page = html();
  EXPECT_FALSE(contains(page, "<script>alert"));
  EXPECT_TRUE(contains(page, "&lt;script&gt;alert(&apos;1&apos;)&lt;/script&gt;"));
  EXPECT_TRUE(contains(page, "note=&quot;a,b&quot;|{{title}}")) << "values are no templates";
  const std::string json = between(page, "class=\"data\">", "</script>");
  EXPECT_EQ(json.find_first_of("<>&"), std::string::npos);
  EXPECT_FALSE(contains(json, "\xe2\x80\xa8")) << "a line's end to a script";
  bool found = false;
  const nlohmann::json rows = nlohmann::json::parse(json).at("rows");
  for (const nlohmann::json& row : rows) found = found || row.at("post") == "<script>alert('1')</script>\xe2\x80\xa8";
  EXPECT_TRUE(found);
}

TEST_F(Page, ItsPolicyNamesItsScriptAndLetsNothingElseIn) {
  const std::string page = html();
  const std::string script = between(page, "<script>", "</script>");
  EXPECT_GT(script.size(), 1000u);
  EXPECT_EQ(between(page, "Content-Security-Policy\" content=\"", "\""),
            "default-src 'none'; script-src 'sha256-" + sha256_base64(script) +
                "'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'");
  for (const char* part : {"http://", "https://", "src=", "<link", "@import", "url("})
    EXPECT_FALSE(contains(page, part)) << part;
}

TEST_F(Page, ShowsEverySetWithItsGroupAndWhatItWasMadeWith) {
  const std::string page = html();
  for (const char* part :
       {"Near-OOD", "Far-OOD", "Control", "cousins", "digits", "letters", "noise", "uniform noise",
        "scope=\"colgroup\"", "scope=\"row\"", "other seeds", "1.0.0, source 4nn50urce", "data manifest d47a"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
}

TEST_F(Page, SaysWhyRowsAreNotRanked) {
  EXPECT_TRUE(contains(html(), "Not ranked, <strong>other seeds</strong> (1 row): its seeds are not those"));
  for (const char* mark : {"partial", "incomplete", "other seeds", "control", "tuned on test", "unverified", "failed"})
    EXPECT_FALSE(reason_text(mark).empty()) << mark;
  EXPECT_EQ(reason_text("count-mismatch"), "");
}

TEST_F(Page, MarksTheHighestOfRankedRowsWhereNoDifferenceIsShown) {
  const std::string shown = table();
  EXPECT_TRUE(contains(shown, "<b>90.00</b>"));    // supcon's near mean
  EXPECT_TRUE(contains(shown, "<td>99.00<td"));    // mds has no rank
  EXPECT_FALSE(contains(shown, "<b>100.00</b>"));  // nor is a control a contest
  EXPECT_TRUE(contains(html(), "the highest of ranked rows as printed"));
}

TEST_F(Page, MarksWhatIsReallyBestWhereThatIsKnown) {
  Leaderboard leaderboard = load();
  LeaderboardBoard& board = leaderboard.boards.at(0);
  board.intervals_from = "seeds";
  LeaderboardRow& row = board.rows.at(1);
  row.rank_low = 1;
  row.rank_high = 3;
  row.numbers.at(1).mark = Mark::second;  // near mean AUROC; accuracy stands before it
  const std::string shown = page_table(page_board(leaderboard, board));
  EXPECT_EQ(shown.find("<b>"), std::string::npos);
  EXPECT_TRUE(contains(shown, "<u>81.00</u>")) << shown;
  EXPECT_TRUE(contains(shown, "<td class=\"rank\">2<small>1–3</small>")) << shown;
}

TEST_F(Page, DataHaveTheNumbersAsPrinted) {
  const nlohmann::json board = data();
  const auto& columns = board.at("columns");
  const auto column = std::ranges::find_if(columns, [](const nlohmann::json& c) {
    return c.at("group") == "far" && c.at("dataset") == "digits" && c.at("metric") == "auroc";
  });
  ASSERT_NE(column, columns.end());
  const auto at = static_cast<std::size_t>(column - columns.begin());
  EXPECT_EQ(board.at("rows").at(0).at("training"), "supcon");
  EXPECT_EQ(board.at("mean").at(at).at(0), 9500);  // of 0.94 and 0.96
  EXPECT_EQ(board.at("std").at(at).at(0), 100);
  EXPECT_EQ(board.at("half").at(at).at(0), 1271);  // 12.706 * sqrt(2) / sqrt(2)
  // Three rows of two seeds, one after the other; mds has one seed.
  EXPECT_EQ(board.at("bySeed").at(at), nlohmann::json::parse("[-100,100,-100,100,-100,100]"));
  EXPECT_EQ(board.at("rows").back().at("marks"), nlohmann::json::parse("[\"other seeds\"]"));
}

TEST_F(Page, RoundsAsTheOtherFormsDo) {
  for (const double fraction : {0.93125, 0.932049999, 0.00005, 0.99995, 1.0, 0.5000499999}) {
    FakeResults store;
    store.known = {testing::sample_benchmark()};
    store.add(subject("ce", 0, "knn"), testing::all_at(fraction));
    const Leaderboard leaderboard = make_leaderboard(load_results(store));
    const PageBoard board = page_board(leaderboard, leaderboard.boards.at(0));
    const std::string text = page_number(board.rows.at(0).numbers.at(0)->mean);
    EXPECT_TRUE(contains(leaderboard_markdown(leaderboard), "| " + text + " |")) << fraction << " " << text;
  }
}

TEST_F(Page, PublishedNumbersStandApart) {
  Leaderboard leaderboard = load();
  Published published{
      .sources = {{.name = "a-board", .title = "A board", .reference = "arXiv:0", .date = "2025-01-01"}}};
  published.rows = {
      {.source = "a-board",
       .benchmark = "tiny",
       .protocol = "ood",
       .training = {.name = "CrossEntropy"},
       .postprocessor = {.name = "<KNN>"},
       .architecture = {.name = "ResNet"},
       .numbers = {
           {.group = "near", .dataset = "cousins", .metric = "auroc", .mean = 0.997, .doubt = "copied twice"}}}};
  add_published(leaderboard, published);
  const std::string shown = page_table(page_board(leaderboard, leaderboard.boards.at(0)));
  const std::size_t part = shown.find("Published elsewhere");
  ASSERT_NE(part, std::string::npos);
  EXPECT_GT(part, shown.find("Not ranked"));
  for (const char* text : {"&lt;KNN&gt;", "99.70", "a-board", "title=\"copied twice\""})
    EXPECT_GT(shown.find(text), part) << text;
  EXPECT_FALSE(contains(shown, "<b>99.70</b>"));
  EXPECT_TRUE(contains(leaderboard_html(leaderboard, source_dir() / "reports"), "A board, arXiv:0, 2025-01-01"));
}

TEST_F(Page, FiguresStandBelowTheirBoard) {
  const std::vector<std::vector<plot::Figure>> figures = {{{.id = "f",
                                                            .title = "A & B",
                                                            .description = "What is seen.",
                                                            .svg = "<svg role=\"img\"></svg>",
                                                            .csv = "x,y\n1,<2\n"}}};
  const std::string page = leaderboard_html(load(), source_dir() / "reports", figures);
  const std::string figure = between(page, "<figure>", "</figure>");
  for (const char* part : {"What is seen.", "<svg role=\"img\"></svg>", "x,y\n1,&lt;2\n"})
    EXPECT_TRUE(contains(figure, part)) << part << " in " << figure;
  EXPECT_EQ(html().find("<figure>"), std::string::npos);
}

TEST_F(Page, SecondsAreShort) {
  EXPECT_EQ(page_seconds(0.412), "0.41 s");
  EXPECT_EQ(page_seconds(12.4), "12 s");
  EXPECT_EQ(page_seconds(170), "3 min");
  EXPECT_EQ(page_seconds(9000), "2.5 h");
}

}  // namespace
}  // namespace nearfar
