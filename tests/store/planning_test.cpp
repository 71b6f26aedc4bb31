#include "store/planning.h"

#include "store/fixture.h"

namespace nearfar {
namespace {

using testing::context, testing::eval_cell, testing::train_cell;
using Planning = testing::StoreTest;

TEST(CellNames, ReadBack) {
  for (int i = 0; i <= static_cast<int>(CellState::not_applicable); ++i) {
    EXPECT_EQ(state_from_name(state_name(static_cast<CellState>(i))), static_cast<CellState>(i));
  }
  for (int i = 0; i <= static_cast<int>(CellKind::eval); ++i) {
    EXPECT_EQ(cell_kind_from_name(kind_name(static_cast<CellKind>(i))), static_cast<CellKind>(i));
  }
  EXPECT_EQ(state_name(CellState::not_applicable), "not-applicable");
  EXPECT_THROW(state_from_name("okay"), Error);
  EXPECT_THROW(cell_kind_from_name("training"), Error);
}

TEST_F(Planning, TwiceChangesNothing) {
  EXPECT_EQ(planning_.put_experiment(testing::sample_experiment("one")), experiment_);
  planning_.put_benchmark(testing::sample_benchmark());
  CellRecord changed = eval_;
  changed.label = "another";
  put({train_, changed});
  const std::vector<CellStatus> cells = results_.cells();
  ASSERT_EQ(cells.size(), 2u);
  EXPECT_EQ(cells[1].label, "ce/net/s0 knn");
  EXPECT_EQ(results_.benchmarks().at(0).sets.size(), 4u);
}

TEST_F(Planning, ANewNameOfTheSameCellCounts) {
  CellRecord renamed = eval_;
  renamed.label = "base/net/s3 knn";
  renamed.training = "base";
  renamed.training_params = "file=a";
  renamed.seed = 3;
  put({train_, renamed});
  EXPECT_EQ(results_.cells().at(1).label, "base/net/s3 knn");
  EXPECT_EQ(planning_.stored(std::vector<std::string>{eval_.key}).at(0)->state, CellState::planned);
}

TEST_F(Planning, PluginsAreRememberedOnce) {
  const PluginRecord plugin{"loss", "ce", "1.0.0", "source", "binary", "tag"};
  const std::int64_t id = planning_.put_plugin(plugin);
  EXPECT_EQ(planning_.put_plugin(plugin), id);
  EXPECT_NE(planning_.put_plugin({"loss", "ce", "1.0.0", "source", "rebuilt", "tag"}), id);
  EXPECT_EQ(results_.plugins().size(), 2u);
}

TEST_F(Planning, NewestExperimentOfANameIsTheOneAskedForLast) {
  ExperimentRecord other = testing::sample_experiment("one", "c1");
  other.profile = "[data]\nroot = 'here'";
  EXPECT_NE(planning_.put_experiment(other), experiment_);
  EXPECT_EQ(results_.experiment("one")->hash, "c1");
  EXPECT_NE(results_.experiment("one")->id, experiment_);
  EXPECT_EQ(results_.experiment("one")->profile, other.profile);
  ExperimentRecord again = testing::sample_experiment("one");
  again.profile = "[data]\nroot = 'there'";
  EXPECT_EQ(planning_.put_experiment(again), experiment_);
  EXPECT_EQ(results_.experiment("one")->hash, "c0");
  EXPECT_EQ(results_.experiment("one")->composed, "name = 'one'");
  EXPECT_EQ(results_.experiment("one")->profile, again.profile) << "that of the last call";
  EXPECT_FALSE(results_.experiment("none"));
}

TEST_F(Planning, FormerCellsAreThoseOfTheNewestExperimentOfTheName) {
  EXPECT_TRUE(planning_.former_cells("none").empty());
  const std::vector<FormerCell> former = planning_.former_cells("one");
  ASSERT_EQ(former.size(), 2u);
  EXPECT_EQ(former[0].key, train_.key);
  EXPECT_EQ(former[0].kind, CellKind::train);
  EXPECT_EQ(former[0].training, train_.training);
  EXPECT_EQ(former[0].identity_json, train_.identity_json);
  EXPECT_EQ(former[0].factors, train_.factors);
  EXPECT_EQ(former[1].model_key, train_.key);
  EXPECT_EQ(former[1].postprocessor, "knn");
  const CellRecord other = train_cell("supcon", 1);
  testing::put(session_, planning_.put_experiment(testing::sample_experiment("one", "c1")), {other});
  ASSERT_EQ(planning_.former_cells("one").size(), 1u);
  EXPECT_EQ(planning_.former_cells("one")[0].key, other.key);
  EXPECT_EQ(planning_.former_cells("one")[0].seed, 1);
}

TEST_F(Planning, CellsOfOneExperimentOnly) {
  const std::int64_t other = planning_.put_experiment(testing::sample_experiment("other", "c1"));
  testing::put(session_, other, {train_});
  EXPECT_EQ(results_.cells("other").size(), 1u);
  EXPECT_EQ(results_.cells("one").size(), 2u);
  EXPECT_EQ(results_.cells().size(), 2u);  // shared, not doubled
  EXPECT_EQ(results_.cells("none").size(), 0u);
  EXPECT_EQ(results_.experiments(), (std::vector<std::string>{"one", "other"}));
}

TEST_F(Planning, CellsComeInTheOrderOfTheLastPlanWhichTheOthersHaveLeft) {
  const CellRecord b = train_cell("ce", 1), c = train_cell("ce", 2);
  put({train_, b, eval_});
  put({c, b, c, train_});  // a second c counts at its first place
  std::vector<std::string> labels;
  for (const CellStatus& cell : results_.cells("one")) labels.push_back(cell.label);
  EXPECT_EQ(labels, (std::vector<std::string>{"ce/net/s2", "ce/net/s1", "ce/net/s0"}));
  EXPECT_EQ(results_.state(eval_.key), CellState::planned) << "the cell itself stays";
  EXPECT_EQ(results_.cells().back().label, eval_.label) << "without an experiment it comes last";
}

TEST_F(Planning, EvalNeedsItsTrainCellAndBenchmarkFirst) {
  const CellRecord supcon = train_cell("supcon", 7);
  EXPECT_THROW(put({train_, eval_, eval_cell(supcon, "knn")}), Error);
  CellRecord elsewhere = supcon;
  elsewhere.data_hash = "unknown";
  EXPECT_THROW(put({train_, eval_, elsewhere}), Error);
  EXPECT_EQ(results_.cells("one").size(), 2u) << "and nothing has changed";
  EXPECT_THROW(testing::put(session_, 77, {train_}), Error) << "no such experiment";
}

TEST_F(Planning, FactorsKeepTheirTypes) {
  CellRecord cell = eval_cell(train_, "vim");
  cell.factors = {{"postprocessor", std::string("vim"), false},
                  {"postprocessor.a", true, true},
                  {"postprocessor.b", std::int64_t{1}, false},
                  {"postprocessor.c", 1.0, false},
                  {"postprocessor.d", std::string("1"), true}};
  put({train_, cell});
  const CellDetails details = results_.find(cell.key).value();
  EXPECT_EQ(details.record.factors, cell.factors);
  std::vector<Factor> with_model = cell.factors;
  with_model.insert(with_model.begin(), {"loss", std::string("ce"), false});
  with_model.push_back({"train.epochs", std::int64_t{6}, false});
  EXPECT_EQ(details.factors, with_model);
}

TEST_F(Planning, NotApplicableIsFinalButNeverReplacesAResult) {
  planning_.set_not_applicable(eval_.key, "msp needs logits");
  EXPECT_EQ(results_.state(eval_.key), CellState::not_applicable);
  EXPECT_FALSE(queue_.claim(eval_.key, context()));
  EXPECT_FALSE(planning_.plan_again(eval_.key, "no"));
  testing::run(session_, train_, testing::train_result());
  planning_.set_not_applicable(train_.key, "too late");
  EXPECT_EQ(results_.state(train_.key), CellState::ok);
}

TEST_F(Planning, FailedCellsArePlannedAgainRunningOnesAreLeftAlone) {
  for (const CellState state : {CellState::failed, CellState::crashed, CellState::timeout, CellState::nan,
                                CellState::cancelled, CellState::invalid}) {
    queue_.fail(claim(eval_), state, "no luck");
    EXPECT_TRUE(planning_.plan_again(eval_.key, "retry")) << state_name(state);
    EXPECT_EQ(results_.state(eval_.key), CellState::planned);
    EXPECT_EQ(results_.cells()[1].message, "");
  }
  EXPECT_TRUE(planning_.plan_again(eval_.key, "it is already"));
  const std::string run = claim(eval_);
  EXPECT_FALSE(planning_.plan_again(eval_.key, "too early"));
  EXPECT_EQ(results_.state(eval_.key), CellState::running);
  queue_.finish(run, result_);
  EXPECT_FALSE(planning_.plan_again("no such key", ""));
}

TEST_F(Planning, ResultWhoseFilesAreGoneLeavesTheFrameAndRunsAgain) {
  testing::run(session_, eval_, result_);
  EXPECT_EQ(value_count(), 8u);
  EXPECT_TRUE(planning_.plan_again(eval_.key, "scores are gone"));
  EXPECT_EQ(value_count(), 0u);
  EXPECT_EQ(results_.events().back().message, "scores are gone");
  testing::run(session_, eval_, result_);
  EXPECT_EQ(value_count(), 8u);
  EXPECT_EQ(results_.find(eval_.key)->runs.size(), 2u);
}

TEST_F(Planning, StoredSaysWhatIsKnownInTheOrderAskedFor) {
  queue_.fail(claim(eval_), CellState::failed, "no luck");
  const std::vector<std::string> keys{"unknown", eval_.key, train_.key, eval_.key};
  const auto stored = planning_.stored(keys);
  ASSERT_EQ(stored.size(), 4u);
  EXPECT_FALSE(stored[0]);
  EXPECT_EQ(stored[1]->state, CellState::failed);
  EXPECT_EQ(stored[1]->message, "no luck");
  EXPECT_EQ(stored[1]->attempt, 1);
  EXPECT_EQ(stored[2]->state, CellState::planned);
  EXPECT_EQ(stored[3]->state, CellState::failed);
  (void)claim(eval_);
  EXPECT_EQ(planning_.stored(keys)[1]->owner, owner_of_this_process());
}

TEST_F(Planning, ExceptionUndoesTheTransactionAndOnlyThat) {
  EXPECT_THROW(session_.in_transaction([&] {
    put({train_, eval_, train_cell("ce", 9)});
    throw Error(ErrorKind::config, "changed my mind");
  }),
               Error);
  EXPECT_EQ(results_.cells().size(), 2u);
  session_.in_transaction([&] {
    planning_.put_plugin({"loss", "ce", "1.0.0", "source", "binary", "tag"});
    EXPECT_THROW(put({train_, train_cell("ce", 9), eval_cell(train_cell("ce", 10), "knn")}), Error);
    EXPECT_EQ(results_.cells().size(), 2u) << "a call that fails leaves nothing behind, also within a transaction";
  });
  EXPECT_EQ(results_.cells().size(), 2u);
  EXPECT_EQ(results_.plugins().size(), 1u);
}

TEST_F(Planning, ReadersSeeTheLastStateWhileAWriterIsBusy) {
  const Session reader = Session::open_read_only(file_);
  session_.in_transaction([&] {
    put({train_, eval_, train_cell("ce", 9)});
    EXPECT_EQ(reader.results().cells().size(), 2u);
    EXPECT_EQ(Session::open_read_only(file_).results().cells().size(), 2u);
  });
  EXPECT_EQ(reader.results().cells().size(), 3u);
}

TEST_F(Planning, OpenKeysAreThoseThatHaveNotEnded) {
  const CellRecord knn = eval_cell(train_, "msp"), not_asked_for = train_cell("ce", 3);
  put({train_, eval_, knn, not_asked_for});
  EXPECT_EQ(planning_.open_keys(experiment_), (std::vector{train_.key, eval_.key, knn.key, not_asked_for.key}));
  put({train_, eval_, knn});
  queue_.finish(claim(train_), testing::train_result());
  queue_.fail(claim(eval_), CellState::failed, "boom");
  claim(knn);
  EXPECT_EQ(planning_.open_keys(experiment_), std::vector{knn.key}) << "running is open, failed has ended";
}

TEST_F(Planning, ReadOnlySessionRefusesToWrite) {
  Session reader = Session::open_read_only(file_);
  EXPECT_THROW(reader.queue().event("info", "", "hello"), Error);
}

}  // namespace
}  // namespace nearfar
