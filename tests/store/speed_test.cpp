/// That nothing grows with the square of the number of cells. The limits are generous: a loaded machine, or one with
/// sanitizers, takes several times as long as an idle one, the mistakes that they are for took a hundred times as long.
#include "store/fixture.h"

#include <gtest/gtest.h>

#include <chrono>

namespace nearfar {
namespace {

constexpr std::int64_t kModels = 1'000, kEvalsPerModel = 99;

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return took.count();
}

std::vector<CellRecord> many_cells() {
  std::vector<CellRecord> cells;
  for (std::int64_t seed = 0; seed < kModels; ++seed) {
    CellRecord train = testing::train_cell("ce", seed);
    train.factors.push_back({"train.lr", 0.1, true});
    train.identity_json = std::string(600, 'x');
    cells.push_back(train);
    for (std::int64_t k = 0; k < kEvalsPerModel; ++k) {
      CellRecord eval = testing::eval_cell(train, "knn", "k=" + std::to_string(k));
      eval.factors = {{"postprocessor", std::string("knn")}, {"postprocessor.a", true}, {"postprocessor.k", k}};
      cells.push_back(std::move(eval));
    }
  }
  return cells;
}

TEST(StoreSpeed, HundredThousandCells) {
  const testing::TestDatabase database;
  Session session = Session::open(database.address());
  const std::vector<CellRecord> cells = many_cells();
  session.planning().put_benchmark(testing::sample_benchmark());
  const std::int64_t experiment = session.planning().put_experiment(testing::sample_experiment("one"));
  std::vector<std::string> keys;
  for (const CellRecord& cell : cells) keys.push_back(cell.key);
  const auto report = [](const char* what, double took, double limit) {
    ::testing::Test::RecordProperty(what, std::to_string(took));
    std::printf("%-24s %.3f s\n", what, took);
    EXPECT_LT(took, limit) << what;
  };
  report("put_cells", seconds([&] { testing::put(session, experiment, cells); }), 60);
  report("put_cells again", seconds([&] { testing::put(session, experiment, cells); }), 20);
  report("stored", seconds([&] { EXPECT_EQ(session.planning().stored(keys).size(), cells.size()); }), 5);
  report("counts", seconds([&] { EXPECT_EQ(session.results().counts().size(), 2u); }), 1);
  report("counts of one", seconds([&] { EXPECT_EQ(session.results().counts("one").size(), 2u); }), 3);
  report("waiting_count", seconds([&] { EXPECT_EQ(session.results().waiting_count(), 100'000); }), 5);
  report("cells", seconds([&] { EXPECT_EQ(session.results().cells("one").size(), cells.size()); }), 20);

  session.queue().fail(session.queue().claim(keys[77], testing::context())->run_uid, CellState::failed, "");
  report("failed cells", seconds([&] { EXPECT_EQ(session.results().cells("one", {CellState::failed}).size(), 1u); }),
         0.5);
  report("find by label", seconds([&] {
           for (std::size_t i = 0; i < cells.size(); i += 100) EXPECT_TRUE(session.results().find(cells[i].label));
         }),
         10);
  report("1,000 trains", seconds([&] {
           session.in_transaction([&] {
             for (std::int64_t i = 0; i < kModels; ++i) {
               const auto group = session.queue().next_ready(experiment, {});
               ASSERT_EQ(group->kind, CellKind::train);
               (void)session.queue().claim(group->keys.front(), testing::context());
             }
           });
         }),
         20);

  // All but the last model's evaluations are done: finding those again and again does not look at the others again.
  database.execute(
      "UPDATE cell SET state = 'ok' WHERE key IN (SELECT cell_key FROM experiment_cell WHERE place < 99901)");
  Session worker = Session::open(database.address());
  report("1,000 next_ready", seconds([&] {
           for (int i = 0; i < 1000; ++i) {
             EXPECT_EQ(worker.queue().next_ready(experiment, {})->keys.size(), std::size_t{kEvalsPerModel});
           }
         }),
         20);
}

TEST(StoreSpeed, FrameOfTwentyThousandEvaluations) {
  const testing::TestDatabase database;
  Session session = Session::open(database.address());
  session.planning().put_benchmark(testing::sample_benchmark());
  std::vector<CellRecord> cells = many_cells();
  cells.resize(20'200);
  testing::put(session, session.planning().put_experiment(testing::sample_experiment("one")), cells);
  database.execute(R"sql(
INSERT INTO run(uid, cell_key, attempt, state, owner, device, thread_count, engine_version, numerics, log_file,
                started_unix_ms)
  SELECT substr(key, 32), key, 1, 'ok', '', 'cpu', 1, '0.1.0', '1', '', 1 FROM cell WHERE kind = 'eval';
UPDATE cell SET state = 'ok', attempt = 1 WHERE kind = 'eval';
INSERT INTO metric SELECT uid, 'ood', 'near', sets.column1, metrics.column1, 0.5
  FROM run, (VALUES('a'), ('b'), ('c'), ('d'), ('e'), ('f'), ('g')) AS sets,
       (VALUES('auroc'), ('fpr95'), ('aupr_in'), ('aupr_out')) AS metrics;
)sql");
  ResultsFrame frame;
  const double took = seconds([&] { frame = session.results().frame(); });
  std::printf("frame %.3f s\n", took);
  EXPECT_EQ(frame.subjects.size(), 19'998u);
  EXPECT_EQ(frame.values.size(), 19'998u * 28);
  EXPECT_LT(took, 20);
}

}  // namespace
}  // namespace nearfar
