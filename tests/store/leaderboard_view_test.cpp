/// v_leaderboard, which others ask in SQL, tells the numbers that reports are made of: in SQLite and on a server.
#include "store/fixture.h"

#include <fmt/core.h>

#include <cstdlib>

namespace nearfar {
namespace {

using testing::accuracy_result, testing::eval_cell, testing::model_cell, testing::train_cell;

class LeaderboardView : public ::testing::Test {
 protected:
  double number(const std::string& sql) const { return std::strtod(database_.execute(sql).c_str(), nullptr); }

  testing::TestDatabase database_;
  Session session_ = Session::open(database_.address());
};

TEST_F(LeaderboardView, HasEveryNumberOfTheFrameOnceAndTheMeansOfNearAndFar) {
  testing::fill_sample(session_);
  const ResultsFrame frame = session_.results().frame();
  ASSERT_EQ(frame.subjects.size(), 7u);
  ASSERT_EQ(frame.values.size(), 7u * 9);  // four sets of two metrics, one accuracy
  EXPECT_EQ(database_.execute("SELECT count(*) FROM v_leaderboard WHERE dataset <> 'mean'"), "63");
  EXPECT_EQ(database_.execute("SELECT count(*) FROM v_leaderboard WHERE dataset = 'mean'"), "28") << "near, far";
  for (const ResultValue& value : frame.values) {
    const std::string where = fmt::format(
        "FROM v_leaderboard WHERE cell_key = '{}' AND protocol = '{}' AND set_group = '{}' AND dataset = '{}' AND"
        " metric = '{}'",
        frame.subjects[value.subject].cell_key, value.protocol, value.group, value.dataset, value.metric);
    EXPECT_NEAR(number("SELECT value_fraction " + where), value.value, 1e-12) << where;  // text of 15 digits
  }
  // digits 0.90, letters 0.94 of ce, seed 0, knn
  EXPECT_NEAR(number("SELECT value_fraction FROM v_leaderboard WHERE training = 'ce' AND seed = 0 AND postprocessor ="
                     " 'knn' AND set_group = 'far' AND dataset = 'mean' AND metric = 'auroc'"),
              0.92, 1e-12);
  EXPECT_EQ(database_.execute("SELECT max(set_count) FROM v_leaderboard"), "2");
}

TEST_F(LeaderboardView, SaysWhatANumberWasMadeWith) {
  testing::fill_sample(session_);
  const std::string of_one = " FROM v_leaderboard WHERE training = 'supcon' AND seed = 1 AND metric = 'accuracy'";
  EXPECT_EQ(database_.execute("SELECT training_params || ' ' || postprocessor || ' ' || postprocessor_params" + of_one),
            "temperature=0.2 knn k=20");
  EXPECT_EQ(database_.execute("SELECT factors" + of_one), "loss=supcon;postprocessor=knn;train.epochs=6");
  EXPECT_EQ(database_.execute("SELECT postprocessor_version || ' ' || postprocessor_source_hash" + of_one),
            "1.0.0 4nn50urce");
  EXPECT_EQ(database_.execute("SELECT DISTINCT training_source_hash FROM v_leaderboard WHERE training = 'ce'"),
            "ce50urce");
  EXPECT_EQ(database_.execute("SELECT count(*) FROM v_leaderboard WHERE is_partial = 1"), "0");
}

TEST_F(LeaderboardView, MarksWhatComesFromAPartialModel) {
  session_.planning().put_benchmark(testing::sample_benchmark());
  CellRecord train = train_cell("ce", 0);
  train.factors.push_back({"seed", std::int64_t{0}, false});
  train.factors.push_back({"train.nesterov", true, false});
  CellRecord whole = train_cell("ce", 1), features = model_cell(train, CellKind::features, "test");
  features.flags = "count-mismatch;partial";
  const std::int64_t experiment = session_.planning().put_experiment(testing::sample_experiment("one"));
  const CellRecord cells[] = {
      train, whole, features, model_cell(train, CellKind::accuracy), eval_cell(train, "knn"), eval_cell(whole, "knn")};
  testing::put(session_, experiment, {std::begin(cells), std::end(cells)});
  testing::run(session_, train, {});
  testing::run(session_, whole, {});
  testing::run(session_, features, {});
  testing::run(session_, cells[3], accuracy_result(0.5, "linear"));
  for (const CellRecord* cell : {&cells[4], &cells[5]})
    testing::run(session_, *cell, testing::eval_result({0.8, 0.9, 0.94, 1}, {0.5, 0.3, 0.2, 0}));
  EXPECT_EQ(database_.execute("SELECT max(is_partial) FROM v_leaderboard WHERE seed = 1"), "0");
  EXPECT_EQ(database_.execute("SELECT min(is_partial) FROM v_leaderboard WHERE seed = 0"), "1");
  EXPECT_EQ(database_.execute("SELECT DISTINCT flags FROM v_leaderboard WHERE seed = 0"), "count-mismatch;partial");
  EXPECT_EQ(database_.execute("SELECT DISTINCT factors FROM v_leaderboard WHERE seed = 0"),
            "loss=ce;postprocessor=knn;train.epochs=6;train.nesterov=true");
}

}  // namespace
}  // namespace nearfar
