/// Figures of a board: which there are, and that they show the board's numbers.
#include "report/figures.h"

#include "base/error.h"
#include "report/cell.h"
#include "report/fake_results.h"
#include "report/figures_scores.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace nearfar {
namespace {

using testing::FakeResults, testing::sample, testing::subject;
using Texts = std::vector<std::string>;

/// ID scores 0 … 9; each OOD set the same with `more` added: the AUROC is known.
Scores scores_with(double more) {
  Scores scores;
  for (int i = 0; i < 10; ++i) {
    scores["test"].push_back(i);
    for (const char* set : {"near/cousins", "far/digits", "far/letters", "control/noise"})
      scores[set].push_back(i + more);
  }
  return scores;
}

std::vector<CurvePoint> curve(double loss) {
  return {{"train_loss", 0, loss}, {"train_loss", 1, loss / 2}, {"val_accuracy", 0, 0.5}, {"val_accuracy", 1, 0.9}};
}

class Figures : public ::testing::Test {
 protected:
  LeaderboardBoard board() const { return make_leaderboard(load_results(store_)).boards.at(0); }
  std::vector<plot::Figure> figures(const FigureRequest& request) const {
    const ResultsFrame frame = load_results(store_).frame;
    return board_figures(board(), select_boards(frame).at(0), request);
  }
  static Texts ids(const std::vector<plot::Figure>& figures) {
    Texts found;
    for (const plot::Figure& figure : figures) found.push_back(figure.id);
    return found;
  }
  FakeResults store_ = sample();
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_F(Figures, OfNumbersAloneNeedNoFiles) {
  EXPECT_EQ(ids(figures({})), (Texts{"near-far", "sets", "ranks"})) << "no cost was measured";
}

TEST_F(Figures, HaveRocsOfEverySetAndTheTrainingOfEveryModel) {
  const auto found = figures({.scores = [](int, const ResultSubject&) { return scores_with(3); },
                              .curves = [](const ResultSubject& result) { return curve(result.seed == 0 ? 2 : 4); }});
  EXPECT_EQ(ids(found), (Texts{"near-far", "sets", "ranks", "roc-near-cousins", "roc-far-digits", "roc-far-letters",
                               "roc-control-noise", "scores", "training-loss", "training-accuracy"}));
}

TEST_F(Figures, AreFewerWhereScoresAreElsewhere) {
  const auto found = figures({.scores = [](int, const ResultSubject&) -> Scores {
    throw Error(ErrorKind::data, "x.npy: is not the file that the run wrote");
  }});
  EXPECT_EQ(ids(found), (Texts{"near-far", "sets", "ranks"}));
}

TEST_F(Figures, NearFarHasMeansAndWhiskersOfTheSeeds) {
  // ce: near 80 and 82; far (90 + 94) / 2 = 92 and 94.
  const plot::Figure figure = near_far_figure(board()).value();
  EXPECT_TRUE(contains(figure.csv, "\nknn,ce,81,80,82,93,92,94\n")) << figure.csv;
  EXPECT_TRUE(contains(figure.csv, "\nmds,ce,99,,,99,,\n")) << "one seed has no whisker: " << figure.csv;
  EXPECT_TRUE(contains(figure.svg, "whiskers: lowest to highest seed"));
}

TEST_F(Figures, CostIsOfRankedRowsWithAFront) {
  for (const std::int64_t seed : {0, 1}) {
    ResultSubject result = subject("ce", seed, "vim");
    result.fit_seconds = 1;
    result.score_seconds = 3;
    result.device = "cpu";
    store_.add(result, testing::all_at(0.7));
    result = subject("ce", seed, "ebo");
    result.score_seconds = 0.5;
    result.device = "cpu";
    store_.add(result, testing::all_at(0.6));
  }
  const plot::Figure figure = cost_figure(board()).value();
  EXPECT_EQ(figure.csv, "label,group,x,x_low,x_high,y,y_low,y_high\nvim,ce,4,,,70,,\nebo,ce,0.5,,,60,,\n");
  EXPECT_TRUE(contains(figure.svg, "Pareto front"));
}

TEST_F(Figures, SetsAreRowsByNearAndFarSets) {
  const plot::Figure figure = sets_figure(board()).value();
  EXPECT_TRUE(contains(figure.csv, "ce knn,near/cousins,81\n")) << figure.csv;
  EXPECT_FALSE(contains(figure.csv, "noise")) << "controls are in no comparison";
}

TEST_F(Figures, RanksShareTies) {
  // supcon knn is best on all three sets, ce knn and ce msp are equal: 1, 2.5, 2.5.
  const plot::Figure figure = ranks_figure(board(), RowCliques{{1, 2}}).value();
  EXPECT_EQ(figure.csv,
            "method,mean_rank,cliques\nsupcon (temperature=0.2) knn (k=20),1,\nce knn,2.5,1\nce msp,2.5,1\n");
  EXPECT_TRUE(contains(ranks_figure(board(), std::nullopt)->svg, "was not tested"));
  EXPECT_FALSE(contains(figure.svg, "was not tested"));
}

TEST_F(Figures, OfHostileNamesAreText) {
  for (const std::int64_t seed : {0, 1}) store_.add(subject("<script>", seed, "</svg>"), testing::all_at(0.99));
  for (const plot::Figure& figure : figures({.scores = [](int, const ResultSubject&) { return scores_with(1); }})) {
    EXPECT_FALSE(contains(figure.svg, "<script")) << figure.id;
    EXPECT_TRUE(figure.svg.find("</svg>\n") != std::string::npos);
  }
}

TEST(RocFigure, SaysTheAurocBesideTheName) {
  // 3 of 4 pairs are in order: AUROC 0.75.
  const std::vector<double> id{1, 3}, ood{2, 4};
  const plot::Figure figure = roc_figure({.id = "roc"}, {{"m", id, ood}}, false);
  EXPECT_TRUE(contains(figure.svg, ">75.00 m<")) << figure.svg;
  EXPECT_EQ(figure.csv,
            "series,x,y,low,high\n75.00 m,0,0,,\n75.00 m,0,50,,\n75.00 m,50,50,,\n75.00 m,50,100,,\n"
            "75.00 m,100,100,,\n");
  EXPECT_EQ(figure.description, "ROC curves. m: AUROC 75.00 %, FPR@95 50.00 %.");
}

TEST(RocFigure, OfManyImagesHasTheNumbersOfAllAndTheLineOfFew) {
  std::vector<double> id, ood;
  std::uint32_t state = 1;
  for (int i = 0; i < 100000; ++i) {
    state = state * 1664525U + 1013904223U;
    id.push_back(state >> 8U);
    state = state * 1664525U + 1013904223U;
    ood.push_back((state >> 8U) * 1.3);
  }
  const plot::Figure figure = roc_figure({.id = "roc"}, {{"m", id, ood}}, false);
  EXPECT_LT(figure.svg.size(), 60'000U);
  EXPECT_LT(std::ranges::count(figure.csv, '\n'), 2000);
}

TEST(TrainingFigure, HasTheMeanWithABandOverSeeds) {
  const plot::Figure figure =
      training_figure({.id = "t"}, {{"ce", {curve(2), curve(4)}}, {"one", {curve(1)}}}, "train_loss", false);
  EXPECT_EQ(figure.csv, "series,x,y,low,high\nce,1,3,2,4\nce,2,1.5,1,2\none,1,1,,\none,2,0.5,,\n");
}

TEST(MostConfused, AreTestImagesWithHighAndOodImagesWithLowScores) {
  Scores scores{
      {"test", {0.1, 0.9, 0.5}}, {"near/a", {0.8, 0.2}}, {"far/b", {0.3}}, {"control/c", {0.0}}, {"csid/d", {9}}};
  const MostConfused confused = most_confused(scores, 2);
  ASSERT_EQ(confused.in.size(), 2U);
  EXPECT_EQ(confused.in[0].position, 1);
  EXPECT_EQ(confused.in[1].position, 2);
  ASSERT_EQ(confused.out.size(), 2U);
  EXPECT_EQ(confused.out[0].set, "near/a");
  EXPECT_EQ(confused.out[0].position, 1);
  EXPECT_EQ(confused.out[1].set, "far/b");
  EXPECT_EQ(most_confused(scores, 100).in.size(), 3U);
}

TEST(CellFigures, AreThoseThereAreDataFor) {
  CellStatus cell;
  cell.label = "ce/net/s0 knn";
  const auto ids = [](const std::vector<plot::Figure>& figures) {
    Texts found;
    for (const plot::Figure& figure : figures) found.push_back(figure.id);
    return found;
  };
  EXPECT_EQ(ids(cell_figures(cell, scores_with(2), curve(1), false)),
            (Texts{"roc", "scores", "training-loss", "training-accuracy"}));
  EXPECT_EQ(ids(cell_figures(cell, {}, curve(1), false)), (Texts{"training-loss", "training-accuracy"}));
  EXPECT_TRUE(cell_figures(cell, {}, {}, false).empty());
}

}  // namespace
}  // namespace nearfar
