#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/npy.h"
#include "bundle/archive.h"
#include "bundle/make.h"
#include "bundle/verify.h"
#include "metrics/protocols.h"
#include "store/process.h"
#include "store/session.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

const std::string kConfig = "canonical one";

/// The config reader of these tests: "name = 'one'" says "canonical one".
std::string canonical_of(const std::string& composed) { return composed == "name = 'one'" ? kConfig : "another"; }

/// One training with its accuracy, kNN and MSP on it; near AUROC is worked out below.
class Results {
 public:
  explicit Results(const fs::path& folder, int failed_before = 0)
      : folder_(folder), session_(Session::open(folder / "results.sqlite")) {
    session_.planning().put_benchmark(
        {"tiny",
         "d47a",
         R"({"sets": [{"name": "test", "hash": "7e57"}]})",
         {{"test", "id", "", 4}, {"shifted", "csid", "", 2}, {"cousins", "near", "", 3}, {"digits", "far", "", 3}}});
    location_ = session_.planning().put_location(folder);
    const std::vector<CellRecord> cells{train(), accuracy(), eval("knn"), eval("msp")};
    std::vector<const CellRecord*> pointers;
    for (const CellRecord& cell : cells) pointers.push_back(&cell);
    const std::int64_t id = session_.planning().put_experiment({.name = "one",
                                                                .canonical = kConfig,
                                                                .hash = sha256(kConfig),
                                                                .composed = "name = 'one'",
                                                                .profile = "data.root = '/home/alice/data'"});
    session_.planning().put_cells(id, pointers);
    for (int i = 0; i < failed_before; ++i) {
      session_.queue().fail(claim(train()), CellState::failed, "no room in /home/alice/out");
      session_.planning().plan_again(train().key, "again");
    }
    finish(train(), {});
    Outcome measured{.classifier = "linear"};
    measured.metrics = {{"ood", "id", "test", "accuracy", 0.75}, {"fsood", "id", "test+csid", "accuracy", 4.0 / 6}};
    measured.scores = {put(accuracy(), "correct/test", {1, 1, 0, 1}), put(accuracy(), "correct/csid/shifted", {0, 1})};
    finish(accuracy(), measured);
    finish(eval("knn"), scored(eval("knn"), 0));
    finish(eval("msp"), scored(eval("msp"), 0.01F));
  }

  static CellRecord cell(CellKind kind, const std::string& name, const std::string& identity) {
    CellRecord cell{.kind = kind, .label = "ce/net/s0" + (name.empty() ? "" : " " + name)};
    cell.benchmark = "tiny";
    cell.data_hash = "d47a";
    cell.architecture = "net";
    cell.head = "linear";
    cell.training = "ce";
    cell.recipe = "short";
    cell.identity_json = identity;
    cell.key = sha256(identity);
    return cell;
  }
  static CellRecord train() {
    CellRecord one =
        cell(CellKind::train, "", R"({"architecture":"net","kind":"train","loss":{"name":"ce"},"seed":0})");
    one.model_key = one.key;
    return one;
  }
  static CellRecord of_model(CellKind kind, const std::string& name, const std::string& more) {
    CellRecord one = cell(kind, name,
                          fmt::format(R"({{"images":{{"sets":{{"test":"7e57"}}}},"kind":"{}","model":"{}","protocols":)"
                                      R"({{"fsood":["csid/shifted"],"ood":[]}}{}}})",
                                      kind_name(kind), train().key, more));
    one.model_key = one.train_key = train().key;
    return one;
  }
  static CellRecord accuracy() { return of_model(CellKind::accuracy, "accuracy", ""); }
  static CellRecord eval(const std::string& postprocessor) {
    CellRecord one =
        of_model(CellKind::eval, postprocessor, fmt::format(R"(,"postprocessor":{{"name":"{}"}})", postprocessor));
    one.postprocessor = postprocessor;
    one.factors = {{"postprocessor", postprocessor, false}};
    return one;
  }

 private:
  std::string claim(const CellRecord& cell) {
    return session_.queue()
        .claim(cell.key, {.owner = owner_of_this_process(),
                          .engine_version = "0.1.0",
                          .numerics = "1",
                          .log_file = "logs/alice.log",
                          .location = location_})
        .value()
        .run_uid;
  }
  void finish(const CellRecord& cell, const Outcome& outcome) { session_.queue().finish(claim(cell), outcome); }

  ScoreSetRow put(const CellRecord& cell, const std::string& set, const std::vector<float>& scores) const {
    const std::string path = fmt::format("cells/{}/scores/{}.npy", cell.key.substr(0, 16), set);
    const std::array<std::int64_t, 1> shape{static_cast<std::int64_t>(scores.size())};
    write_npy<float>(folder_ / path, shape, scores);
    return {set, path, sha256_file(folder_ / path), shape[0]};
  }
  Outcome scored(const CellRecord& cell, float more) const {
    const std::vector<SetScores<float>> sets{{"csid/shifted", {0.35F, 0.15F}},
                                             {"far/digits", {0.7F, 0.8F, 0.05F + more}},
                                             {"near/cousins", {0.25F, 0.5F, 0.6F}},
                                             {"test", {0.1F, 0.2F, 0.3F, 0.4F}}};
    const std::vector<EvaluationProtocol> protocols{{"ood", {}}, {"fsood", {"csid/shifted"}}};
    Outcome outcome;
    for (const SetScores<float>& set : sets) outcome.scores.push_back(put(cell, set.set, set.scores));
    for (const ProtocolMetric& one : protocol_metrics<float>(sets, protocols))
      outcome.metrics.push_back({one.protocol, one.group, one.dataset, one.metric, one.value});
    return outcome;
  }

  fs::path folder_;
  Session session_;
  std::int64_t location_ = 0;
};

class Bundle : public ::testing::Test {
 protected:
  static void make(const fs::path& out, const fs::path& target, const std::string& title = "Two detectors") {
    make_bundle({.database = out / "results.sqlite",
                 .target = target,
                 .evaluations = {Results::eval("knn").key, Results::eval("msp").key},
                 .title = title,
                 .author = "A. Author"});
  }
  Bundle() {
    Results results(out_);
    make(out_, file_);
    fs::create_directory(folder_);
    unpack_archive(file_, folder_);
  }

  // ---- what a forger does

  void change(const std::string& sql) const {
    SQLite::Database database((folder_ / kResultsFile).string(), SQLite::OPEN_READWRITE);
    ASSERT_GT(database.exec(sql), 0) << sql;
  }
  void renew_sums() const {
    std::map<std::string, std::string> sums;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      const std::string name = entry.path().lexically_relative(folder_).string();
      if (entry.is_regular_file() && name != kSumsFile) sums[name] = sha256_file(entry.path());
    }
    write_file_atomic(folder_ / kSumsFile, sums_text(sums));
  }
  static std::string score_file(const std::string& set) {
    return fmt::format("scores/{}/{}.npy", Results::eval("knn").key, set);
  }

  Verification verify() const { return verify_folder(folder_, canonical_of); }
  /// Of `what`, those that fail; nothing else may.
  std::vector<Check> failures(const std::string& what, const std::vector<std::string>& also = {}) const {
    std::vector<Check> found;
    for (const Check& check : verify().checks) {
      if (check.status != CheckStatus::fail) continue;
      if (check.what == what) found.push_back(check);
      EXPECT_TRUE(check.what == what || std::ranges::count(also, check.what) > 0) << check.what << ' ' << check.message;
    }
    return found;
  }

  TempDir work_;
  fs::path out_ = work_.path() / "out", file_ = work_.path() / "x.tar.zst", folder_ = work_.path() / "unpacked";
};

TEST_F(Bundle, PassesAsItWasMade) {
  const Verification found = verify();
  EXPECT_TRUE(found.passed()) << verification_text(found);
  EXPECT_EQ(found.count(CheckStatus::not_checkable), 0);
  EXPECT_EQ(found.evaluations, 2);
  EXPECT_EQ(found.manifest->title, "Two detectors");
  EXPECT_EQ(found.manifest->score_files, 10);
  EXPECT_EQ(std::ranges::count(found.checks, "metric", &Check::what),
            2 * 2 * 2 * 4);  // cells, protocols, sets, metrics
  EXPECT_EQ(std::ranges::count(found.checks, "accuracy", &Check::what), 2);
  EXPECT_NE(verification_text(found).find("not proved"), std::string::npos);
  const auto near = std::ranges::find_if(found.checks, [](const Check& check) {
    return check.protocol == "ood" && check.set == "near/cousins" && check.metric == "auroc";
  });
  // 0.25 is above 2 of 0.1, 0.2, 0.3, 0.4; 0.5 and 0.6 are above all 4
  ASSERT_NE(near, found.checks.end());
  EXPECT_DOUBLE_EQ(near->recomputed.value(), 10.0 / 12);
}

TEST_F(Bundle, CatchesAFlippedScore) {
  std::string content = read_file(folder_ / score_file("test"));
  content[content.size() - 2] = static_cast<char>(content[content.size() - 2] ^ 1);
  write_file_atomic(folder_ / score_file("test"), content);
  const auto found = failures("file", {"scores", "metric"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].set, score_file("test"));
}

TEST_F(Bundle, CatchesAFlippedScoreAlsoWhereEveryHashWasRenewed) {
  const std::array<std::int64_t, 1> shape{3};
  write_npy<float>(folder_ / score_file("near/cousins"), shape, std::array<float, 3>{0.45F, 0.5F, 0.6F});
  change(fmt::format("UPDATE score_set SET sha256 = '{}' WHERE path = '{}'",
                     sha256_file(folder_ / score_file("near/cousins")), score_file("near/cousins")));
  renew_sums();
  const auto found = failures("metric");
  ASSERT_FALSE(found.empty());
  const auto ood = std::ranges::find_if(
      found, [](const Check& check) { return check.protocol == "ood" && check.metric == "auroc"; });
  ASSERT_NE(ood, found.end());
  EXPECT_EQ(ood->cell, Results::eval("knn").key);
  EXPECT_EQ(ood->set, "near/cousins");
  EXPECT_DOUBLE_EQ(ood->stored.value(), 10.0 / 12);
  EXPECT_DOUBLE_EQ(ood->recomputed.value(), 1);
}

TEST_F(Bundle, CatchesAnEditedMetric) {
  change("UPDATE metric SET value_fraction = 0.9999 WHERE metric = 'fpr95' AND set_group = 'far' AND protocol = 'ood'");
  renew_sums();
  const auto found = failures("metric");
  ASSERT_EQ(found.size(), 2U);  // of both cells
  EXPECT_EQ(found[0].metric, "fpr95");
  EXPECT_DOUBLE_EQ(found[0].stored.value(), 0.9999);
}

TEST_F(Bundle, CatchesANumberThatWasTakenOut) {
  change(fmt::format("DELETE FROM metric WHERE metric = 'auroc' AND set_group = 'far' AND protocol = 'ood'"));
  renew_sums();
  EXPECT_EQ(failures("metric").size(), 2U);
}

TEST_F(Bundle, CatchesASwappedConfig) {
  const std::string name = config_file(sha256(kConfig));
  write_file_atomic(folder_ / name, "name = 'two'");
  renew_sums();
  EXPECT_EQ(failures("config").size(), 1U);
  change("UPDATE config SET composed_toml = 'name = ''two'''");  // in the database, too: its hash is of another
  renew_sums();
  ASSERT_EQ(failures("config").size(), 1U);
  EXPECT_EQ(failures("config")[0].message, "its TOML is not the config that its hash is of");
}

TEST_F(Bundle, CatchesASwappedCanonicalConfig) {
  change("UPDATE config SET canonical_text = 'canonical two'");
  write_file_atomic(folder_ / canonical_file(sha256(kConfig)), "canonical two");
  renew_sums();
  ASSERT_EQ(failures("config").size(), 1U);
  EXPECT_EQ(failures("config")[0].message, "its text has not the hash that it is stored under");
}

TEST_F(Bundle, CatchesAMissingFile) {
  fs::remove(folder_ / score_file("test"));
  ASSERT_EQ(failures("file", {"scores", "metric"}).size(), 1U);
  renew_sums();
  EXPECT_EQ(failures("scores", {"metric"}).size(), 1U);
}

TEST_F(Bundle, CatchesAFileThatIsNotListed) {
  write_file_atomic(folder_ / "scores/more.npy", "?");
  ASSERT_EQ(failures("file").size(), 1U);
  EXPECT_EQ(failures("file")[0].message, "is not listed in SHA256SUMS");
}

TEST_F(Bundle, CatchesMissingManifestSumsAndDatabase) {
  fs::remove(folder_ / kManifestFile);
  EXPECT_EQ(failures("manifest", {"file"}).size(), 1U);
  fs::remove(folder_ / kSumsFile);
  EXPECT_EQ(failures("file", {"manifest"}).size(), 1U);
  fs::remove(folder_ / kResultsFile);
  EXPECT_EQ(failures("database", {"manifest", "file"}).size(), 1U);
}

TEST_F(Bundle, CatchesACellThatIsShownAsAnother) {
  change("UPDATE cell SET postprocessor = 'better' WHERE postprocessor = 'knn'");
  change("UPDATE cell SET training = 'better' WHERE kind = 'train'");
  change("UPDATE cell SET identity_json = '{}' WHERE kind = 'accuracy'");
  renew_sums();
  EXPECT_EQ(failures("identity", {"accuracy"}).size(), 4U);  // msp is of a training that is shown otherwise
}

TEST_F(Bundle, CatchesASecondRunThatMergeWouldPrefer) {
  change(
      "INSERT INTO run SELECT 'f' || substr(uid, 2), cell_key, 2, run.state, run.owner, device, thread_count,"
      " engine_version, numerics, log_file, location_id, plugin_id, started_unix_ms, finished_unix_ms, run.message,"
      " run.flags, classifier,"
      " train_seconds, epoch_count, final_train_loss, val_accuracy_fraction, fit_seconds, score_seconds FROM run JOIN"
      " cell ON key = cell_key WHERE postprocessor = 'knn';"
      "INSERT INTO metric SELECT 'f' || substr(run_uid, 2), protocol, set_group, dataset, metric, 1 FROM metric JOIN "
      "run"
      " ON uid = run_uid JOIN cell ON key = cell_key WHERE postprocessor = 'knn'");
  renew_sums();
  EXPECT_EQ(failures("metric", {"manifest"}).size(), 16U);
}

TEST_F(Bundle, CatchesAnEditedAccuracy) {
  change("UPDATE metric SET value_fraction = 0.99 WHERE metric = 'accuracy' AND protocol = 'fsood'");
  renew_sums();
  const auto found = failures("accuracy");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_DOUBLE_EQ(found[0].recomputed.value(), 4.0 / 6);
}

TEST_F(Bundle, SaysWhereAnAccuracyCannotBeChecked) {
  change("DELETE FROM score_set WHERE set_name LIKE 'correct/%'");
  renew_sums();
  const Verification found = verify();
  EXPECT_TRUE(found.passed()) << verification_text(found);
  EXPECT_EQ(found.count(CheckStatus::not_checkable), 2);
  EXPECT_NE(verification_text(found).find("no per-image evidence"), std::string::npos);
}

TEST_F(Bundle, CatchesFewerScoresThanImages) {
  change("UPDATE benchmark_set SET image_count = 5 WHERE name = 'test'");
  renew_sums();
  EXPECT_EQ(failures("count").size(), 3U);  // test of both cells, correct/test
}

TEST_F(Bundle, CatchesAForeignSchema) {
  change("CREATE VIEW v AS SELECT 1; UPDATE cell SET flags = flags");
  renew_sums();
  EXPECT_EQ(failures("database").size(), 1U);
}

TEST_F(Bundle, HasAJsonFormOfEveryCheck) {
  change("UPDATE metric SET value_fraction = 0.5 WHERE metric = 'aupr_in' AND set_group = 'far' AND protocol = 'ood'");
  renew_sums();
  const Verification found = verify();
  const auto document = nlohmann::json::parse(verification_json(found));
  EXPECT_FALSE(document["passed"]);
  EXPECT_EQ(document["fail"], 2);
  EXPECT_EQ(document["checks"].size(), found.checks.size());
}

TEST_F(Bundle, SaysNothingOfTheMachineAndThePeople) {
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    if (!entry.is_regular_file()) continue;
    const std::string content = read_file(entry.path());
    for (const std::string& secret :
         {work_.path().string(), std::string("alice"), owner_of_this_process(), std::string("/home")})
      EXPECT_EQ(content.find(secret), std::string::npos) << entry.path() << " tells " << secret;
    EXPECT_EQ(content.find(host_name() + ":"), std::string::npos) << entry.path();
  }
}

TEST_F(Bundle, RefusesAConfigThatNamesAFolderOfTheMachine) {
  {
    SQLite::Database database((out_ / "results.sqlite").string(), SQLite::OPEN_READWRITE);
    database.exec("UPDATE config SET composed_toml = 'list = \"" + out_.string() + "/list.txt\"'");
  }
  EXPECT_THROW(make(out_, file_), Error);
}

TEST_F(Bundle, IsTheSameBytesFromAnotherFolderAndAfterFailures) {
  const fs::path other = work_.path() / "other.tar.zst", moved = work_.path() / "moved";
  fs::copy(out_, moved, fs::copy_options::recursive);
  {
    SQLite::Database database((moved / "results.sqlite").string(), SQLite::OPEN_READWRITE);
    database.exec("INSERT INTO event VALUES(NULL, 1, 'warn', '', 'x'); VACUUM");
  }
  make(moved, other);
  EXPECT_EQ(read_file(file_), read_file(other));
}

TEST_F(Bundle, LeavesOutAttemptsThatFailed) {
  const fs::path failed = work_.path() / "failed";
  Results results(failed, 2);
  make(failed, file_);
  fs::remove_all(folder_);
  fs::create_directory(folder_);
  unpack_archive(file_, folder_);
  EXPECT_TRUE(verify().passed()) << verification_text(verify());
  EXPECT_EQ(read_file(folder_ / kResultsFile).find("no room"), std::string::npos);
}

TEST_F(Bundle, HasOnlyWhatWasChosenAndItsModel) {
  make_bundle({.database = out_ / "results.sqlite", .target = file_, .evaluations = {Results::eval("msp").key}});
  fs::remove_all(folder_);
  fs::create_directory(folder_);
  unpack_archive(file_, folder_);
  EXPECT_TRUE(verify().passed()) << verification_text(verify());
  EXPECT_EQ(verify().evaluations, 1);
  EXPECT_FALSE(fs::exists(folder_ / score_file("test")));
}

TEST_F(Bundle, IsNotMadeWithoutItsEvidence) {
  fs::remove(out_ / fmt::format("cells/{}/scores/test.npy", Results::eval("knn").key.substr(0, 16)));
  try {
    make(out_, file_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find("missing or changed"), std::string::npos);
  }
}

TEST_F(Bundle, RefusesATitleOfManyLines) { EXPECT_THROW(make(out_, file_, "a\nb"), Error); }

TEST_F(Bundle, ADatabaseIsCheckedWhereItIs) {
  EXPECT_TRUE(verify_database(out_ / "results.sqlite", canonical_of).passed());
  fs::remove_all(out_ / "cells");
  EXPECT_FALSE(verify_database(out_ / "results.sqlite", canonical_of).passed());
}

}  // namespace
}  // namespace nearfar
