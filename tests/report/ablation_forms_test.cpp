/// Forms of an ablation against files that were looked at (./run golden), and hostile names.
#include "report/ablation_forms.h"

#include "report/ablation_figures.h"
#include "report/ablation_sample.h"
#include "support/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <functional>
#include <set>

namespace nearfar {
namespace {

using testing::ablation_of, testing::expect_golden, testing::grid, testing::ScoredResults, testing::source_dir,
    testing::star;
using ::testing::HasSubstr, ::testing::Not;

constexpr const char* kHostile = "<script>alert(1)</script>|`*&\"'\\\n}_$";

Ablation hostile() {
  ScoredResults results;
  for (const std::int64_t seed : {0, 1}) {
    results.add("ce", "knn", seed, 1, {{"train.note", std::string(kHostile)}});
    results.add("ce", "knn", seed, 2, {{"train.note", std::string("plain")}});
  }
  return ablation_of(results);
}

TEST(AblationForms, CsvIsTheFileThatWasLookedAt) {
  expect_golden(ablation_csv(ablation_of(star())), "tests/report/ablation.csv");
}
TEST(AblationForms, MarkdownIsTheFileThatWasLookedAt) {
  expect_golden(ablation_markdown(ablation_of(grid())), "tests/report/ablation.md");
}
TEST(AblationForms, LatexIsTheFileThatWasLookedAt) {
  expect_golden(ablation_latex(ablation_of(star())), "tests/report/ablation.tex");
}
TEST(AblationForms, JsonIsTheFileThatWasLookedAt) {
  // Rounded: the last bits of a logarithm or a quantile are the library's.
  nlohmann::ordered_json document = nlohmann::ordered_json::parse(ablation_json(ablation_of(grid())));
  const std::function<void(nlohmann::ordered_json&)> round = [&](nlohmann::ordered_json& value) {
    if (value.is_number_float()) {
      value = std::round(value.get<double>() * 1e9) / 1e9 + 0.0;  // no -0
    } else if (value.is_structured()) {
      for (auto& inner : value) round(inner);
    }
  };
  round(document);
  expect_golden(document.dump(1) + "\n", "tests/report/ablation.json");
}

TEST(AblationForms, TheTextSaysWhatTheOthersSay) {
  const std::string text = ablation_text(ablation_of(grid()));
  EXPECT_THAT(text, HasSubstr("tiny, protocol ood: ce/net knn\nswept     train.lr (0.05, 0.1, 0.5)"));
  EXPECT_THAT(text, HasSubstr("train.lr 0.1 → 0.5: far AUROC falls by "));
  EXPECT_THAT(text,
              HasSubstr("near AUROC: no difference could be shown: −5.52 [−10.27, −0.76], 2 seeds; among so many"));
  EXPECT_THAT(text, HasSubstr("importance for near AUROC: train.lr "));
  EXPECT_THAT(text, HasSubstr("every combination equally often"));
}

TEST(AblationForms, ThePageNeedsNothingElse) {
  const std::string page = ablation_html(ablation_of(grid()), source_dir() / "reports");
  EXPECT_THAT(page, HasSubstr("Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr(" src=")));
  EXPECT_THAT(page, Not(HasSubstr("url(")));
  EXPECT_LT(page.find("Which differences are real"), page.find("<svg")) << "words come first";
  EXPECT_LT(page.find("<svg"), page.find("All numbers"));
  EXPECT_THAT(page, HasSubstr("role=\"img\""));
}

TEST(AblationForms, NamesAreText) {
  const Ablation ablation = hostile();
  EXPECT_THAT(ablation_html(ablation, source_dir() / "reports"), Not(HasSubstr("<script>alert")));
  const std::string markdown = ablation_markdown(ablation);
  EXPECT_THAT(markdown, Not(HasSubstr("<script>")));
  EXPECT_THAT(markdown, HasSubstr("\\|\\`\\*&amp;"));
  EXPECT_THAT(ablation_latex(ablation), HasSubstr("\\textless{}script\\textgreater{}"));
  EXPECT_THAT(ablation_csv(ablation), HasSubstr("\"<script>alert(1)</script>|`*&\"\"'\\\n}_$\""));
}

TEST(AblationForms, FiguresHaveNamesOfTheirOwn) {
  for (const Ablation& ablation : {ablation_of(grid()), hostile()}) {
    std::set<std::string> ids;
    const std::vector<plot::Figure> figures = ablation_figures(ablation, 0);
    for (const plot::Figure& figure : figures) {
      ids.insert(figure.id);
      EXPECT_EQ(figure.id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"),
                std::string::npos)
          << figure.id;
      EXPECT_FALSE(figure.description.empty());
    }
    EXPECT_EQ(ids.size(), figures.size());
  }
  EXPECT_EQ(ablation_figures(ablation_of(grid()), 0).size(), 2u + 1u + 2u + 2u) << "tornados, lr, grids, importance";
}

}  // namespace
}  // namespace nearfar
