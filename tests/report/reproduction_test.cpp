/// Published numbers beside ours: bounds worked out by hand, which rows stand for which, and the forms against files
/// that were looked at.
#include "report/reproduction.h"

#include "report/benchmark_report.h"
#include "report/fake_results.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <optional>

namespace nearfar {
namespace {

using testing::all_at, testing::expect_golden, testing::FakeResults, testing::sample, testing::source_dir,
    testing::subject, testing::with_factor;

PublishedRow row_of(const std::string& postprocessor, std::vector<PublishedNumber> numbers) {
  return {.source = "table",
          .benchmark = "tiny",
          .protocol = "ood",
          .training = {"CE", "ce"},
          .postprocessor = {postprocessor == "knn" ? "KNN" : postprocessor, postprocessor},
          .architecture = {"Net", "net"},
          .training_params = std::vector<std::string>{""},
          .postprocessor_params = std::vector<std::string>{""},
          .numbers = std::move(numbers)};
}

/// Of the sample: ce with knn has a near AUROC of 81 ± 1, a far one of 93 ± 1, a near FPR@95 of 45 ± 5.
Published table_of(std::vector<PublishedRow> rows) {
  return {.sources = {{"table", "A table", "Somebody, 2024", "CC0", "2024-01-01"}},
          .rows = std::move(rows),
          .unmapped = {}};
}
Published ce_knn(double near_auroc, std::optional<double> std) {
  return table_of({row_of("knn", {{"near", "mean", "auroc", near_auroc, std}})});
}

Leaderboard board_of(const FakeResults& store) { return make_leaderboard(load_results(store)); }

const ReproducedNumber& only_number(const Reproduction& reproduction) {
  EXPECT_EQ(reproduction.rows.size(), 1U);
  EXPECT_EQ(reproduction.rows.at(0).numbers.size(), 1U);
  return reproduction.rows.at(0).numbers.at(0);
}

/// Everything at once: a number within, one beyond, one in doubt, one without a deviation, a method without a result,
/// one that is not here.
Published mixed() {
  PublishedRow unknown = row_of("NAC", {{"near", "mean", "auroc", 0.9, std::nullopt}});
  unknown.postprocessor.key.clear();
  Published published = table_of(
      {row_of("knn", {{"near", "mean", "auroc", 0.80, 0.006},
                      {"far", "mean", "auroc", 0.95, 0.005},
                      {"near", "mean", "fpr95", 0.30, 0.01, "wrong, they say"},
                      {"near", "cousins", "auroc", 0.814, std::nullopt}}),
       row_of("vim", {{"near", "mean", "auroc", 0.8, std::nullopt}, {"far", "mean", "auroc", 0.8, std::nullopt}}),
       unknown});
  published.unmapped = {"postprocessor NAC"};
  return published;
}

TEST(Reproduction, BoundsAreKDeviationsOfThePublishedNumber) {
  // 81.0 - 80.0 = 1.0 <= 2 * 0.5; 81.0 - 79.9 = 1.1 > 1.0, but <= 3 * 0.5
  const ReproducedNumber at_the_bound = only_number(reproduce(board_of(sample()), ce_knn(0.80, 0.005)));
  EXPECT_NEAR(at_the_bound.difference, 0.010, 1e-12);
  EXPECT_DOUBLE_EQ(at_the_bound.bound, 0.010);
  EXPECT_TRUE(at_the_bound.is_within);
  EXPECT_FALSE(only_number(reproduce(board_of(sample()), ce_knn(0.799, 0.005))).is_within);
  EXPECT_TRUE(only_number(reproduce(board_of(sample()), ce_knn(0.799, 0.005), {.k = 3})).is_within);
}

TEST(Reproduction, WithoutADeviationItIsHalfAPoint) {
  EXPECT_TRUE(only_number(reproduce(board_of(sample()), ce_knn(0.8149, std::nullopt))).is_within);
  EXPECT_FALSE(only_number(reproduce(board_of(sample()), ce_knn(0.8151, std::nullopt))).is_within);
  EXPECT_FALSE(only_number(reproduce(board_of(sample()), ce_knn(0.8149, std::nullopt), {.points = 0.001})).is_within);
}

TEST(Reproduction, CountsWhatIsThereAndWhatIsNot) {
  const Reproduction r = reproduce(board_of(sample()), mixed());
  EXPECT_EQ(r.published_count, 7);
  EXPECT_EQ(r.compared_count, 3);
  EXPECT_EQ(r.within_count, 2);
  EXPECT_EQ(r.doubted_count, 1);
  EXPECT_EQ(r.without_result_count, 2);  // vim
  EXPECT_EQ(r.unknown_count, 1);         // NAC
  EXPECT_NEAR(r.largest, 0.02, 1e-12);   // 93 against 95; not the 15 points of the doubted one
}

TEST(Reproduction, PrefersTheParametersOfTheMap) {
  FakeResults store = sample();
  for (const std::int64_t seed : {0, 1}) store.add(subject("ce", seed, "knn", "tune=openood"), all_at(0.7));
  Published published = ce_knn(0.7, std::nullopt);
  published.rows[0].postprocessor_params = {"tune=openood", ""};
  EXPECT_NEAR(only_number(reproduce(board_of(store), published)).difference, 0, 1e-12);
  published.rows[0].postprocessor_params = {"k=3", ""};
  EXPECT_NEAR(only_number(reproduce(board_of(store), published)).difference, 0.11, 1e-12);
  published.rows[0].postprocessor_params = std::vector<std::string>{"k=3"};
  EXPECT_TRUE(reproduce(board_of(store), published).rows.empty());
  published.rows[0].postprocessor_params = std::nullopt;
  EXPECT_EQ(reproduce(board_of(store), published).rows.size(), 2U) << "a file that does not tell parameters";
}

TEST(Reproduction, ComparesEveryRowThatAPublicationDoesNotTellApart) {
  FakeResults store = sample();
  for (const std::int64_t seed : {0, 1})
    store.add(with_factor(subject("ce", seed, "knn"), "train.epochs", std::int64_t{1}), all_at(0.6));
  const Reproduction r = reproduce(board_of(store), ce_knn(0.6, std::nullopt));
  ASSERT_EQ(r.rows.size(), 2U);
  EXPECT_EQ(r.rows[0].ours.training_params, "train.epochs=6") << "by rank";
  EXPECT_EQ(r.rows[1].ours.training_params, "train.epochs=1");
  EXPECT_EQ(r.within_count, 1);
}

TEST(Reproduction, OtherNetworksBenchmarksAndProtocolsAreNotIt) {
  for (const auto& change :
       {+[](PublishedRow& row) { row.architecture.key = "resnet50"; },
        +[](PublishedRow& row) { row.benchmark = "small"; }, +[](PublishedRow& row) { row.protocol = "fsood"; },
        +[](PublishedRow& row) { row.training.key = "supcon"; }}) {
    Published published = ce_knn(0.81, std::nullopt);
    change(published.rows[0]);
    EXPECT_TRUE(reproduce(board_of(sample()), published).rows.empty());
  }
}

TEST(Reproduction, SaysWhenTheImagesAreOthers) {
  FakeResults store = sample();
  for (FakeResults::Result& result : store.results) result.subject.flags = "count-mismatch";
  const std::vector<std::string> lines = reproduction_summary(reproduce(board_of(store), mixed()));
  EXPECT_EQ(lines.back(),
            "Results of ours are marked count-mismatch: their images are not those of the benchmark, or not all.");
}

TEST(Reproduction, ATerminalShowsTheFarthest) {
  const TablesReport report = reproduction_report(reproduce(board_of(sample()), mixed()), 1);
  ASSERT_EQ(report.tables.size(), 1U);
  ASSERT_EQ(report.tables[0].rows.size(), 1U);
  EXPECT_EQ(report.tables[0].rows[0][3].text, "near mean FPR@95");  // 15 points, bound 2
  EXPECT_EQ(report.tables[0].above.size(), 1U);
}

TEST(Reproduction, FormsEqualTheFilesThatWereLookedAt) {
  const Reproduction r = reproduce(board_of(sample()), mixed());
  const TablesReport report = reproduction_report(r);
  expect_golden(tables_text(report), "tests/report/reproduction.txt");
  expect_golden(tables_markdown(report), "tests/report/reproduction.md");
  expect_golden(tables_latex(report), "tests/report/reproduction.tex");
  expect_golden(reproduction_csv(r), "tests/report/reproduction.csv");
}

TEST(Reproduction, JsonHasFractions) {
  const nlohmann::json json = nlohmann::json::parse(reproduction_json(reproduce(board_of(sample()), mixed())));
  EXPECT_EQ(json["compared"], 3);
  EXPECT_EQ(json["rows"][0]["numbers"][0]["published"], 0.8);
  EXPECT_TRUE(json["rows"][0]["numbers"][3]["published_std"].is_null());
}

TEST(Reproduction, PageEscapesNames) {
  Published published = mixed();
  published.rows[0].postprocessor.name = "<script>alert(1)</script>";
  const std::string page =
      tables_html(reproduction_report(reproduce(board_of(sample()), published)), source_dir() / "reports");
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;"), std::string::npos);
  EXPECT_NE(page.find("2 of 3 numbers within 2 std or 0.5 points"), std::string::npos) << page;
}

TEST(Paper, HasTheLayoutOfThePublication) {
  std::vector<PublishedNumber> numbers;
  double value = 0.10;
  for (const auto& [group, dataset] :
       {std::pair("near", "mean"), std::pair("near", "cousins"), std::pair("far", "digits"),
        std::pair("far", "letters"), std::pair("far", "mean")}) {
    for (const char* metric : {"fpr95", "auroc", "aupr_in", "aupr_out"})
      numbers.push_back({group, dataset, metric, value += 0.01, 0.005});
  }
  PublishedRow without_result = row_of("knn", numbers);
  without_result.protocol = "fsood";
  const TablesReport report = paper_report(board_of(sample()), table_of({row_of("knn", numbers), without_result}));
  ASSERT_EQ(report.tables.size(), 2U);
  std::vector<std::string> first;
  for (const auto& row : report.tables[0].rows) first.push_back(row[0].text);
  EXPECT_EQ(first, (std::vector<std::string>{"cousins", "Near-OOD mean", "digits", "letters", "Far-OOD mean"}));
  EXPECT_EQ(report.summary, std::vector<std::string>{"1 of 2 tables have a result of ours."});
  expect_golden(tables_text(report), "tests/report/paper.txt");
}

TEST(Paper, RowsOfMeansAreNoTable) { EXPECT_TRUE(paper_report(board_of(sample()), ce_knn(0.8, 0.1)).tables.empty()); }

BenchmarkFacts tiny_facts() {
  return {.name = "tiny",
          .title = "A tiny benchmark",
          .file = "tiny.toml",
          .identity = "1d",
          .class_count = 10,
          .channels = 1,
          .height = 28,
          .width = 28,
          .sets = {{"train", "id", 1000},
                   {"test", "id", 100},
                   {"near/cousins", "near", 100},
                   {"far/digits", "far", 90},
                   {"far/letters", "far", 0}},
          .protocols = {{"ood", {}}, {"fsood", {"blurred"}}},
          .measured = {testing::sample_benchmark()}};
}

TEST(Benchmark, HardSetsComeFirst) {
  // Ranked are ce knn and ce msp (81, 91, 95), supcon knn (90, 95, 97): seeds 0 and 1.
  const Leaderboard leaderboard = board_of(sample());
  const std::vector<SetDifficulty> sets = set_difficulty(leaderboard.boards.at(0), tiny_facts());
  ASSERT_EQ(sets.size(), 3U) << "the control is none";
  EXPECT_EQ(sets[0].dataset, "cousins");
  EXPECT_NEAR(sets[0].mean, (0.81 + 0.81 + 0.90) / 3, 1e-12);
  EXPECT_NEAR(sets[0].lowest, 0.81, 1e-12);
  EXPECT_NEAR(sets[0].highest, 0.90, 1e-12);
  EXPECT_EQ(sets[0].rows, 3U);
  EXPECT_EQ(sets[0].image_count, 100);
  EXPECT_EQ(sets[1].dataset, "digits");
}

TEST(Benchmark, TheBestOfEach) {
  const Leaderboard leaderboard = board_of(sample());
  std::vector<std::string> found;
  for (const LeaderboardRow* row : best_of_each(leaderboard.boards.at(0), &RowName::postprocessor))
    found.push_back(row->training + " " + row->postprocessor);
  EXPECT_EQ(found, (std::vector<std::string>{"supcon knn", "ce msp"})) << "mds has one seed and no rank";
}

TEST(Benchmark, TextEqualsTheFileThatWasLookedAt) {
  expect_golden(tables_text(benchmark_report(tiny_facts(), board_of(sample()), mixed())), "tests/report/benchmark.txt");
}

TEST(Benchmark, WithoutResultsItIsWhatItIs) {
  BenchmarkFacts facts = tiny_facts();
  facts.measured.clear();
  const std::string text = tables_text(benchmark_report(facts, {}, {}));
  EXPECT_NE(text.find("No results of ours"), std::string::npos) << text;
  EXPECT_NE(text.find("test, pooled with blurred"), std::string::npos) << text;
  EXPECT_EQ(nlohmann::json::parse(benchmark_json(facts, {}, {}))["sets"].size(), 5U);
}

}  // namespace
}  // namespace nearfar
