/// What the exports say of a small experiment; whether other programs read them is tests/e2e/dashboards_test.py's.
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "dashboards/folder.h"
#include "dashboards/hugging_face.h"
#include "dashboards/mlflow.h"
#include "dashboards/ro_crate.h"
#include "dashboards/source.h"
#include "dashboards/tensorboard.h"
#include "dashboards/trackio.h"
#include "store/sample.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

class Export : public ::testing::Test {
 protected:
  Export() { testing::fill_sample(session_); }
  ExportedCell cell(const ExportSource& source, const std::string& name) const {
    for (std::size_t i = 0; i < source.size(); ++i) {
      if (ExportedCell found = source.cell(i); found.name == name) return found;
    }
    throw Error(ErrorKind::nothing, name);
  }
  fs::path only_run_named(const std::string& name) const {
    for (const auto& entry : fs::recursive_directory_iterator(out_)) {
      if (entry.path().filename() == "mlflow.runName" && read_file(entry.path()) == name)
        return entry.path().parent_path().parent_path();
    }
    throw Error(ErrorKind::nothing, name);
  }

  TempDir folder_;
  fs::path database_ = folder_.path() / "results.sqlite", out_ = folder_.path() / "out";
  Session session_ = Session::open(database_);
};

TEST_F(Export, HasEveryCellThatWasBegun) {
  const ExportSource source(session_.results(), {});
  // per seed: two trainings, two accuracies, knn and msp on ce, knn on supcon, mds on ce (failed for seed 1)
  EXPECT_EQ(source.size(), 16u);
  const ExportedCell failed = cell(source, "ce/net/s1 mds");
  EXPECT_EQ(state_text(failed), "failed: singular covariance");
  EXPECT_TRUE(failed.numbers.empty() && failed.places.empty());
}

TEST_F(Export, TellsNumbersMeansPlacesAndVersionsOfAnEvaluation) {
  const ExportSource source(session_.results(), {.experiment = "sample"});
  const ExportedCell knn = cell(source, "ce/net/s0 knn");
  const auto number = [&](const std::string& name) {
    const auto found = std::ranges::find(knn.numbers, name, number_name);
    return found == knn.numbers.end() ? -1 : found->value;
  };
  EXPECT_DOUBLE_EQ(number("ood/far/mean/auroc"), 0.92);  // digits 0.90, letters 0.94
  EXPECT_DOUBLE_EQ(number("ood/near/mean/auroc"), 0.80);
  EXPECT_DOUBLE_EQ(number("ood/id/test/accuracy"), 0.95) << "the model's";
  EXPECT_EQ(number("ood/control/mean/auroc"), -1) << "control sets enter no mean";
  EXPECT_EQ(knn.numbers.size(), 13u);  // four sets and two groups of two metrics, one accuracy
  ASSERT_EQ(knn.places.size(), 1u);
  EXPECT_EQ(knn.places[0].rank, 2) << "supcon is the first";
  EXPECT_EQ(row_title(knn.places[0].row), "ce + knn");
  EXPECT_EQ(knn.postprocessor_source_hash, "4nn50urce");
  EXPECT_EQ(knn.training_source_hash, "ce50urce");
  EXPECT_EQ(knn.experiment, "sample");
  EXPECT_FALSE(knn.is_partial);
  EXPECT_EQ(cell(source, "ce/net/s0").training_source_hash, "ce50urce");
}

TEST_F(Export, TakesOnlyTheCellsThatAreWanted) {
  const ExportSource source(session_.results(), {.experiment = std::nullopt, .wanted = [](const CellStatus& status) {
                                                   return status.label.ends_with("knn");
                                                 }});
  EXPECT_EQ(source.size(), 4u);
  EXPECT_EQ(source.leaderboard().boards.at(0).rows.size(), 4u) << "ranks are those of all";
  EXPECT_EQ(ExportSource(session_.results(), {.experiment = "other"}).size(), 0u);
}

TEST_F(Export, MarksPartialCells) {
  CellRecord train = testing::train_cell("ce", 7);
  train.flags = "partial";
  const CellRecord knn = testing::eval_cell(train, "knn");
  testing::put(session_, session_.planning().put_experiment(testing::sample_experiment("part")), {train, knn});
  testing::run(session_, train, testing::train_result());
  testing::run(session_, knn, testing::eval_result({0.8, 0.9, 0.94, 1}, {0.5, 0.3, 0.2, 0}));
  const ExportSource source(session_.results(), {.experiment = "part"});
  EXPECT_TRUE(cell(source, "ce/net/s7 knn").is_partial);
  EXPECT_EQ(cell(source, "ce/net/s7 knn").places.at(0).unranked_reason, "partial");
  EXPECT_EQ(source.partial_count(), 1u);
  export_hugging_face(source, "group", out_);
  const std::string card = read_file(out_ / "ce_net_s7/README.md");
  EXPECT_NE(card.find("**Partial results**"), std::string::npos);
  EXPECT_NE(card.find("- partial-results\n"), std::string::npos);
  for (const auto& file : fs::directory_iterator(out_ / "ce_net_s7/.eval_results"))
    EXPECT_NE(read_file(file.path()).find("PARTIAL"), std::string::npos);
}

TEST_F(Export, TellsCellsOfOneLabelApart) {
  CellRecord other = testing::train_cell("ce", 0, "smoothing=0.1");
  testing::put(session_, session_.planning().put_experiment(testing::sample_experiment("more", "c1")), {other});
  testing::run(session_, other, testing::train_result());
  const ExportSource source(session_.results(), {});
  EXPECT_EQ(cell(source, "ce/net/s0 " + other.key.substr(0, 12)).details.record.training_params, "smoothing=0.1");
}

TEST_F(Export, MlflowHasFilesOfWholeNumbersAndSafeNames) {
  const ExportSource source(session_.results(), {});
  export_mlflow(source, out_, folder_.path() / "a b");
  const fs::path run = only_run_named("supcon/net/s1 knn");
  const std::string line = read_file(run / "metrics/ood/near/mean/auroc");
  EXPECT_EQ(split(line, ' ').at(1), "0.9");
  EXPECT_EQ(split(line, ' ').at(2), "0\n");
  EXPECT_EQ(read_file(run / "params/train.epochs"), "6");
  EXPECT_EQ(read_file(run / "tags/nearfar.ood.rank"), "1");
  EXPECT_NE(read_file(run / "meta.yaml").find("/a%20b/mlruns/"), std::string::npos);
  EXPECT_NE(read_file(run / "meta.yaml").find("\nstatus: 3\n"), std::string::npos);
  const fs::path failed = only_run_named("ce/net/s1 mds");
  EXPECT_NE(read_file(failed / "meta.yaml").find("\nstatus: 4\n"), std::string::npos);
  EXPECT_EQ(read_file(failed / "tags/nearfar.message"), "singular covariance");
}

TEST_F(Export, TrackioHasARunForEveryCell) {
  fs::create_directory(out_);
  export_trackio(ExportSource(session_.results(), {}), out_);
  SQLite::Database project((out_ / "sample.db").string());
  EXPECT_EQ(project.execAndGet("SELECT count(DISTINCT run_id) FROM configs").getInt(), 16);
  EXPECT_DOUBLE_EQ(project
                       .execAndGet("SELECT json_extract(metrics, '$.\"ood/far/mean/auroc\"') FROM metrics WHERE "
                                   "run_name = 'ce/net/s0 knn'")
                       .getDouble(),
                   0.92);
}

TEST_F(Export, TheCrateDescribesEveryFileInIt) {
  const ExportSource source(session_.results(), {});
  fs::create_directory(out_);
  EXPECT_EQ(export_ro_crate(source, database_, out_), 0);
  const auto document = nlohmann::json::parse(read_file(out_ / "ro-crate-metadata.json"));
  std::map<std::string, nlohmann::json> entities;
  for (const auto& entity : document["@graph"])
    EXPECT_TRUE(entities.emplace(entity["@id"], entity).second) << entity["@id"] << " twice";
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(out_)) {
    if (!entry.is_regular_file() || entry.path().filename() == "ro-crate-metadata.json") continue;
    EXPECT_TRUE(entities.contains(entry.path().lexically_relative(out_).string())) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, entities["./"]["hasPart"].size());
  EXPECT_EQ(entities["./"]["mentions"].size(), 16u);
  std::size_t failed = 0;
  for (const auto& [id, entity] : entities) {
    if (entity["@type"] == "CreateAction" && entity["actionStatus"]["@id"] == "http://schema.org/FailedActionStatus")
      ++failed;
  }
  EXPECT_EQ(failed, 1u);
}

TEST_F(Export, NamesAndMessagesAreTextWhateverTheyHold) {
  CellRecord train = testing::train_cell("ce", 0);
  train.label = "../\n---\n'\"}|<b>x/s0";
  train.key = train.model_key = sha256(train.label);
  train.factors.push_back({"train.\n# x|", std::string("a: [\n---\n|<i>"), false});
  CellRecord knn = testing::eval_cell(train, "knn");
  testing::put(session_, session_.planning().put_experiment(testing::sample_experiment("../odd", "c2")), {train, knn});
  testing::run(session_, train, testing::train_result());
  testing::run(session_, knn, testing::eval_result({0.8, 0.9, 0.94, 1}, {0.5, 0.3, 0.2, 0}));
  const ExportSource source(session_.results(), {.experiment = "../odd"});
  for (const char* format : {"hf", "mlflow", "trackio", "tensorboard", "ro-crate"})
    fs::create_directories(out_ / format);
  export_hugging_face(source, "a/b\n", out_ / "hf");
  export_mlflow(source, out_ / "mlflow", out_ / "mlflow");
  export_trackio(source, out_ / "trackio");
  export_tensorboard(source, out_ / "tensorboard");
  export_ro_crate(source, database_, out_ / "ro-crate");
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    EXPECT_TRUE(entry.path() == out_ || entry.path().string().starts_with(database_.string())) << entry.path();
  EXPECT_TRUE(fs::exists(out_ / "trackio/odd.db"));
  const std::vector<std::string> lines = split(read_file(out_ / "hf/_..__---______b_x_s0/README.md"), '\n');
  EXPECT_EQ(std::ranges::count(lines, "---"), 2) << "the head of the card and nothing else";
  EXPECT_TRUE(std::ranges::none_of(lines, [](const std::string& line) {
    return line.starts_with("|") && line.find("<i>") != std::string::npos && line.find("\\<i\\>") == std::string::npos;
  }));
}

TEST_F(Export, CardsNeedAnEvaluation) {
  const ExportSource source(session_.results(), {.experiment = std::nullopt, .wanted = [](const CellStatus& status) {
                                                   return status.kind == CellKind::train;
                                                 }});
  EXPECT_THROW(export_hugging_face(source, "", out_), Error);
}

}  // namespace
}  // namespace nearfar
