/// Databases of version 1: opened, copied, migrated once, and telling the same numbers. tests/golden/store_v1 holds one
/// that nearfar 0.1 made of the smoke experiment, with the leaderboard it printed.
#include "store/migrate.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "store/sample.h"
#include "store/schema.h"
#include "store/schema_v1.h"
#include "support/golden.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <thread>

namespace nearfar {
namespace {

/// Fields of a line of CSV; quotes keep commas.
std::vector<std::string> fields(std::string_view line) {
  std::vector<std::string> result(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      result.emplace_back();
    } else {
      result.back() += c;
    }
  }
  return result;
}

struct Number {
  double mean = 0, deviation = 0;
  std::int64_t seeds = 0;
};
/// By "training,training_params,postprocessor,postprocessor_params,protocol,group,dataset,metric"; single sets only.
using Numbers = std::map<std::string, Number>;

Numbers numbers_of_csv(const std::filesystem::path& file) {
  Numbers numbers;
  for (const std::string& line : split(read_file(file), '\n')) {
    const std::vector<std::string> f = fields(line);
    if (f.size() < 15 || f[0] == "training" || f[6] == "mean") continue;
    const std::string name = join(std::vector{f[0], f[12], f[1], f[13], f[4], f[5], f[6], f[7]}, ",");
    numbers[name] = {std::stod(f[8]), std::stod(f[9]), std::stoll(f[10])};
  }
  return numbers;
}

Numbers numbers_of_frame(const ResultsFrame& frame) {
  std::map<std::string, std::vector<double>> by_seed;
  for (const ResultValue& v : frame.values) {
    const ResultSubject& s = frame.subjects.at(v.subject);
    by_seed[join(std::vector{s.training, s.training_params, s.postprocessor, s.postprocessor_params, v.protocol,
                             v.group, v.dataset, v.metric},
                 ",")]
        .push_back(100 * v.value);
  }
  Numbers numbers;
  for (const auto& [name, values] : by_seed) {
    Number& number = numbers[name];
    number.seeds = static_cast<std::int64_t>(values.size());
    for (const double value : values) number.mean += value / static_cast<double>(values.size());
    double squares = 0;
    for (const double value : values) squares += (value - number.mean) * (value - number.mean);
    number.deviation = std::sqrt(squares / static_cast<double>(values.size()));
  }
  return numbers;
}

void expect_equal(const Numbers& found, const Numbers& expected) {
  ASSERT_GT(expected.size(), 100u);
  EXPECT_EQ(found.size(), expected.size());
  for (const auto& [name, number] : expected) {
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_NEAR(found.at(name).mean, number.mean, 5.1e-5) << name;  // printed with 4 decimals
    EXPECT_NEAR(found.at(name).deviation, number.deviation, 5.1e-5) << name;
    EXPECT_EQ(found.at(name).seeds, number.seeds) << name;
  }
}

int user_version(const std::filesystem::path& file) {
  return SQLite::Database(file.string()).execAndGet("PRAGMA user_version").getInt();
}

class MigrateGolden : public ::testing::Test {
 protected:
  MigrateGolden() {
    std::filesystem::copy_file(golden_ / "results.sqlite", file_);
    std::filesystem::permissions(file_, std::filesystem::perms{0644});
  }

  std::filesystem::path golden_ = testing::source_dir() / "tests/golden/store_v1";
  TempDir folder_;
  std::filesystem::path file_ = folder_.path() / "results.sqlite";
  std::filesystem::path backup_ = folder_.path() / "results.sqlite.v1.backup";
};

TEST_F(MigrateGolden, ReadingTellsTheSameNumbersAndLeavesTheFileAlone) {
  const std::string before = read_file(file_);
  {
    Session session = Session::open_read_only(file_);
    expect_equal(numbers_of_frame(session.results().frame()), numbers_of_csv(golden_ / "leaderboard.csv"));
    EXPECT_EQ(session.name(), file_.string());
    EXPECT_THROW(session.queue().event("info", "", "hello"), Error);
  }
  EXPECT_EQ(read_file(file_), before);
  EXPECT_FALSE(std::filesystem::exists(backup_));
}

TEST_F(MigrateGolden, ReadingTwiceTellsTheSameUids) {
  const ResultsFrame a = Session::open_read_only(file_).results().frame();
  const ResultsFrame b = Session::open_read_only(file_).results().frame();
  ASSERT_EQ(a.subjects.size(), b.subjects.size());
  for (std::size_t i = 0; i < a.subjects.size(); ++i) EXPECT_EQ(a.subjects[i].run_uid, b.subjects[i].run_uid);
}

TEST_F(MigrateGolden, WritingMigratesOnceAfterACopy) {
  const std::string before = read_file(file_);
  for (int i = 0; i < 2; ++i) {
    Session session = Session::open(file_);
    expect_equal(numbers_of_frame(session.results().frame()), numbers_of_csv(golden_ / "leaderboard.csv"));
  }
  EXPECT_EQ(user_version(file_), kSchemaVersion);
  EXPECT_EQ(SQLite::Database(file_.string()).execAndGet("PRAGMA integrity_check").getString(), "ok");
  EXPECT_EQ(
      SQLite::Database(file_.string()).execAndGet("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'v1%'").getInt(),
      0);
  ASSERT_TRUE(std::filesystem::exists(backup_));
  EXPECT_EQ(user_version(backup_), 1);
  EXPECT_FALSE(std::filesystem::exists(backup_.string() + ".2")) << "the second opening had nothing to do";
  expect_equal(numbers_of_frame(Session::open_read_only(backup_).results().frame()),
               numbers_of_csv(golden_ / "leaderboard.csv"));
}

TEST_F(MigrateGolden, BackupThatIsThereIsNeverOverwritten) {
  write_file_atomic(backup_, "precious");
  write_file_atomic(backup_.string() + ".2", "precious too");
  Session::open(file_);
  EXPECT_EQ(read_file(backup_), "precious");
  EXPECT_EQ(read_file(backup_.string() + ".2"), "precious too");
  EXPECT_EQ(user_version(backup_.string() + ".3"), 1);
}

TEST_F(MigrateGolden, SeveralProcessesAtOnceMigrateItOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&] { Session::open(file_); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(user_version(file_), kSchemaVersion);
  EXPECT_EQ(user_version(backup_), 1);
  EXPECT_FALSE(std::filesystem::exists(backup_.string() + ".2"));
}

TEST_F(MigrateGolden, WithoutACopyNothingIsChanged) {
  std::filesystem::create_directory(file_.string() + ".v1.backup.part");  // the copy cannot be written
  write_file_atomic(file_.string() + ".v1.backup.part/in the way", "");
  EXPECT_THROW(Session::open(file_), Error);
  EXPECT_EQ(user_version(file_), 1);
}

TEST_F(MigrateGolden, GivesSearchesMeasuresFactorsAndFilesTheirPlaces) {
  Session session = Session::open(file_);
  const CellDetails knn = session.results().find("ce/resnet8/s0 knn").value();
  ASSERT_EQ(knn.outcome.tune.size(), 3u);
  EXPECT_EQ(knn.outcome.tune[0].params, "k=1");
  EXPECT_EQ(knn.outcome.tune[1].params, "k=5");
  EXPECT_EQ(knn.outcome.tune[2].auroc, 0.825);
  EXPECT_TRUE(knn.outcome.tune[0].chosen);
  EXPECT_FALSE(knn.outcome.tune[1].chosen || knn.outcome.tune[2].chosen);
  ASSERT_EQ(knn.outcome.measures.size(), 3u);
  EXPECT_EQ(knn.outcome.measures[0].name, "accuracy");
  EXPECT_EQ(knn.outcome.measures[1].name, "ece");
  EXPECT_EQ(knn.outcome.measures[2].unit, "nat");
  EXPECT_EQ(knn.outcome.measures[2].set, "test");
  EXPECT_TRUE(knn.outcome.curve.empty());
  EXPECT_EQ(knn.location, folder_.path());
  EXPECT_EQ(knn.record.model_key, knn.record.train_key);
  const auto factor = [&](const std::string& name) {
    const auto found = std::ranges::find(knn.factors, name, &Factor::name);
    return found == knn.factors.end() ? ParamValue("missing") : found->value;
  };
  EXPECT_EQ(factor("train.epochs"), ParamValue(std::int64_t{2}));
  EXPECT_EQ(factor("train.lr"), ParamValue(0.2));
  EXPECT_EQ(factor("train.final_lr"), ParamValue(0.0));
  EXPECT_EQ(factor("train.nesterov"), ParamValue(true));
  EXPECT_EQ(factor("train.projection"), ParamValue(std::string("mlp")));
  EXPECT_EQ(factor("loss"), ParamValue(std::string("ce")));
  EXPECT_EQ(factor("postprocessor"), ParamValue(std::string("knn")));
  EXPECT_EQ(factor("postprocessor.tune"), ParamValue(std::string("k=1,5,20")));

  const CellDetails model = session.results().find("supcon/resnet8/s0").value();
  EXPECT_EQ(model.record.model_key, model.record.key);
  EXPECT_EQ(model.outcome.metrics.at(0).metric, "accuracy") << "stays with the train run";
  EXPECT_EQ(model.outcome.curve.size(), 4u);
  EXPECT_EQ(session.results().find("mine/resnet8/s0 msp")->record.model_key.size(), 64u);
  const std::vector<std::string> keys{model.record.key};
  EXPECT_EQ(session.planning().stored(keys)[0]->files.at(0).path,
            folder_.path() / "cells/855bee5149418b87/best.safetensors");
}

/// A small database of version 1 with what the golden one lacks.
class MigrateV1 : public ::testing::Test {
 protected:
  MigrateV1() { execute(testing::kSchema1); }
  void execute(const std::string& sql) const {
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec(sql);
  }
  /// Two cells, each with one run; the second started first.
  void fill() const {
    execute(R"(
INSERT INTO benchmark VALUES('tiny', 'd47a', '{}');
INSERT INTO config VALUES('c0', 'canonical'), ('c1', 'canonical 1');
INSERT INTO experiment VALUES(1, 'one', 'c0', 5), (2, 'one', 'c1', 6);
INSERT INTO cell(key, kind, label, benchmark, data_hash, architecture, head, training, training_params, recipe, seed,
                 postprocessor, postprocessor_params, config_json, flags, state, attempt, owner) VALUES
  ('aaaaaaaaaaaa', 'train', 'ce/net/s0', 'tiny', 'd47a', 'net', 'linear', 'ce', '', 'short', 0, '', '', 'no json', '',
   'running', 1, 'another-host:1'),
  ('bbbbbbbbbbbb', 'eval', 'x/net/s0 knn', 'tiny', 'd47a', 'net', 'linear', 'x', '', '', 0, 'knn', '',
   '{"model": "e15e", "postprocessor": {"params": {"k": 50}}}', '', 'hung', 1, '');
INSERT INTO experiment_cell VALUES(1, 'bbbbbbbbbbbb', 0), (1, 'aaaaaaaaaaaa', 0), (2, 'bbbbbbbbbbbb', 3);
INSERT INTO run(id, cell_key, attempt, state, owner, device, thread_count, engine_version, numerics, log_file,
                started_unix_ms) VALUES
  (1, 'aaaaaaaaaaaa', 1, 'running', 'another-host:1', 'cpu', 1, '0.1.0', '1', '', 2000),
  (2, 'bbbbbbbbbbbb', 1, 'hung', 'another-host:1', 'cpu', 1, '0.1.0', '1', '', 1000);
INSERT INTO curve VALUES(2, 'tune k=1', 0, 0.5), (2, 'tune k=2', 1, 0.9), (2, 'tune k=3', 2, 0.9);
)");
  }

  TempDir folder_;
  std::filesystem::path file_ = folder_.path() / "results.sqlite";
};

TEST_F(MigrateV1, EmptyDatabaseBecomesAnEmptyOne) {
  Session session = Session::open(file_);
  testing::fill_sample(session);
  EXPECT_EQ(session.results().cells().size(), 18u);
}

TEST_F(MigrateV1, UnfinishedWorkGoesOn) {
  fill();
  Session session = Session::open(file_);
  const CellDetails eval = session.results().find("x/net/s0 knn").value();
  EXPECT_EQ(eval.record.model_key, "e15e");
  EXPECT_EQ(eval.status.state, CellState::failed) << "a state that was never assigned";
  EXPECT_EQ(eval.factors.size(), 2u);
  const CellDetails train = session.results().find("ce/net/s0").value();
  EXPECT_EQ(train.record.model_key, train.record.key);
  EXPECT_LT(eval.runs.at(0).uid, train.runs.at(0).uid) << "by the time when they started";
  EXPECT_EQ(session.results().experiment("one")->hash, "c1");
  EXPECT_EQ(session.results().cells("one").size(), 2u) << "two cells at one place";
  EXPECT_EQ(session.queue().recover_stale(), 1) << "no leases then: whoever is not seen to live has lost it";
  const auto lease = session.queue().claim(train.record.key, testing::context());
  ASSERT_TRUE(lease);
  EXPECT_LT(train.runs.at(0).uid, lease->run_uid);
}

TEST_F(MigrateV1, FirstOfTheHighestPointsWasChosen) {
  fill();
  execute("UPDATE cell SET state = 'ok' WHERE kind = 'eval'; UPDATE run SET state = 'ok' WHERE id = 2");
  const auto tune = Session::open_read_only(file_).results().find("x/net/s0 knn")->outcome.tune;
  ASSERT_EQ(tune.size(), 3u);
  EXPECT_FALSE(tune[0].chosen);
  EXPECT_TRUE(tune[1].chosen);
  EXPECT_FALSE(tune[2].chosen);
}

TEST_F(MigrateV1, BrokenReferencesAreRefusedAndNothingIsChanged) {
  fill();
  execute("PRAGMA foreign_keys = OFF; UPDATE run SET plugin_id = 77");
  try {
    Session::open(file_);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("table run"), std::string::npos) << error.what();
  }
  EXPECT_EQ(user_version(file_), 1);
  EXPECT_EQ(SQLite::Database(file_.string()).execAndGet("SELECT count(*) FROM run").getInt(), 2);
}

/// A file of version 2 with one model of two cells, made with that version's statements.
TEST(MigrateV2, CellsKeepWhatTheyWereAndMayBeOutOfMemoryOrHung) {
  TempDir folder;
  const std::filesystem::path file = folder.path() / "results.sqlite";
  {
    SQLite::Database made(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    made.exec(kSchema2);
    made.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = 2", kApplicationId));
    made.exec(R"sql(
      INSERT INTO benchmark VALUES('b', 'd', '{}');
      INSERT INTO cell(key, kind, model_key, train_key, label, benchmark, data_hash, architecture, head, training,
                       training_params, recipe, seed, image_set, postprocessor, postprocessor_params, identity_json,
                       flags, state, attempt, message)
        VALUES('t', 'train', 't', NULL, 'ce/s0', 'b', 'd', 'resnet8', 'linear', 'ce', '{}', 'r', 0, '', '', '', '{}',
               '', 'nan', 2, 'the loss is nan'),
              ('e', 'eval', 't', 't', 'ce/s0 msp', 'b', 'd', 'resnet8', 'linear', 'ce', '{}', 'r', 0, '', 'msp', '{}',
               '{}', 'f', 'planned', 0, '');
      INSERT INTO run(uid, cell_key, attempt, state, owner, device, thread_count, engine_version, numerics, log_file,
                      started_unix_ms) VALUES('u', 't', 2, 'nan', 'me', 'cpu', 1, 'v', '2', 'l', 5);
    )sql");
  }
  Session::open(file);
  SQLite::Database now(file.string(), SQLite::OPEN_READWRITE);
  EXPECT_EQ(user_version(file), kSchemaVersion);
  EXPECT_EQ(now.execAndGet("SELECT state || message || attempt FROM cell WHERE key = 't'").getString(),
            "nanthe loss is nan2");
  EXPECT_EQ(now.execAndGet("SELECT group_concat(key, ',') FROM (SELECT key FROM cell ORDER BY rowid)").getString(),
            "t,e");
  EXPECT_NO_THROW(now.exec("UPDATE cell SET state = 'oom' WHERE key = 't'"));
  EXPECT_NO_THROW(now.exec("UPDATE cell SET state = 'hung' WHERE key = 't'"));
  EXPECT_THROW(now.exec("UPDATE cell SET state = 'tired' WHERE key = 't'"), SQLite::Exception);
  now.exec("PRAGMA foreign_keys = ON");
  EXPECT_THROW(now.exec("DELETE FROM cell WHERE key = 't'"), SQLite::Exception) << "a run refers to it";
  EXPECT_EQ(now.execAndGet("SELECT count(*) FROM v_valid_run").getInt(), 0);
  EXPECT_EQ(now.execAndGet("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'cell_%' AND type = 'index' AND sql "
                           "IS NOT NULL")
                .getInt(),
            3);
  EXPECT_TRUE(std::filesystem::exists(file.string() + ".v2.backup"));
}

TEST(MigrateV3, CellsMayBeHungAndWhatRefersToThemStill) {
  TempDir folder;
  const std::filesystem::path file = folder.path() / "results.sqlite";
  {  // version 3 is what the first two steps make
    SQLite::Database made(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    made.exec(kSchema2);
    migrate_2_to_3(made);
    made.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = 3", kApplicationId));
    EXPECT_THROW(made.exec("UPDATE cell SET state = 'hung'; INSERT INTO cell(state) VALUES('hung')"),
                 SQLite::Exception);
    made.exec(R"sql(
      INSERT INTO benchmark VALUES('b', 'd', '{}');
      INSERT INTO cell(key, kind, model_key, train_key, label, benchmark, data_hash, architecture, head, training,
                       training_params, recipe, seed, image_set, postprocessor, postprocessor_params, identity_json,
                       flags, state, attempt, message)
        VALUES('t', 'train', 't', NULL, 'ce/s0', 'b', 'd', 'resnet8', 'linear', 'ce', '{}', 'r', 0, '', '', '', '{}',
               '', 'oom', 3, 'too large');
      INSERT INTO run(uid, cell_key, attempt, state, owner, device, thread_count, engine_version, numerics, log_file,
                      started_unix_ms) VALUES('u', 't', 3, 'oom', 'me', 'cpu', 1, 'v', '2', 'l', 5);
      INSERT INTO cell_factor VALUES('t', 'train.lr', 0.1, 0, 1);
    )sql");
  }
  Session::open(file);
  SQLite::Database now(file.string(), SQLite::OPEN_READWRITE);
  EXPECT_EQ(user_version(file), kSchemaVersion);
  EXPECT_EQ(now.execAndGet("SELECT state || message || attempt FROM cell").getString(), "oomtoo large3");
  EXPECT_NO_THROW(now.exec("UPDATE cell SET state = 'hung'"));
  EXPECT_THROW(now.exec("UPDATE cell SET state = 'tired'"), SQLite::Exception);
  now.exec("PRAGMA foreign_keys = ON");
  EXPECT_THROW(now.exec("DELETE FROM cell"), SQLite::Exception) << "a run and a factor refer to it";
  EXPECT_TRUE(std::filesystem::exists(file.string() + ".v3.backup"));
}

TEST(MigrateV4, TheLeaderboardIsAViewAndNothingElseChanges) {
  TempDir folder;
  const std::filesystem::path file = folder.path() / "results.sqlite";
  {  // version 4 is what the first three steps make
    SQLite::Database made(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    made.exec(kSchema2);
    migrate_2_to_3(made);
    migrate_3_to_4(made);
    made.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = 4", kApplicationId));
    made.exec(R"sql(
      INSERT INTO benchmark VALUES('b', 'd', '{}');
      INSERT INTO cell(key, kind, model_key, train_key, label, benchmark, data_hash, architecture, head, training,
                       training_params, recipe, seed, image_set, postprocessor, postprocessor_params, identity_json,
                       flags, state, attempt)
        VALUES('t', 'train', 't', NULL, 'ce/s0', 'b', 'd', 'resnet8', 'linear', 'ce', '', 'r', 7, '', '', '', '{}',
               'partial', 'ok', 1),
              ('e', 'eval', 't', 't', 'ce/s0 msp', 'b', 'd', 'resnet8', 'linear', 'ce', '', 'r', 7, '', 'msp', '',
               '{}', '', 'ok', 1);
      INSERT INTO run(uid, cell_key, attempt, state, owner, device, thread_count, engine_version, numerics, log_file,
                      started_unix_ms) VALUES('u', 't', 1, 'ok', 'me', 'cpu', 1, 'v', '2', 'l', 5),
                                             ('w', 'e', 1, 'ok', 'me', 'cpu', 1, 'v', '2', 'l', 5);
      INSERT INTO metric VALUES('w', 'ood', 'near', 'x', 'auroc', 0.5), ('w', 'ood', 'near', 'y', 'auroc', 0.75);
    )sql");
  }
  const auto schema = [&] {
    return SQLite::Database(file.string())
        .execAndGet(
            "SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema WHERE name NOT IN "
            "('v_leaderboard', 'plugin') ORDER BY name)")  // version 6 adds a column to `plugin`
        .getString();
  };
  const std::string before = schema();
  Session::open(file);
  SQLite::Database now(file.string());
  EXPECT_EQ(user_version(file), kSchemaVersion);
  EXPECT_EQ(schema(), before);
  EXPECT_EQ(now.execAndGet("SELECT count(*) FROM v_leaderboard").getInt(), 3);
  EXPECT_EQ(now.execAndGet("SELECT value_fraction || ' ' || set_count || ' ' || seed || ' ' || flags FROM v_leaderboard"
                           " WHERE dataset = 'mean'")
                .getString(),
            "0.625 2 7 partial");
  EXPECT_TRUE(std::filesystem::exists(file.string() + ".v4.backup"));
}

TEST(MigrateV5, OlderPluginsAreOfTheExactTier) {
  TempDir folder;
  const std::filesystem::path file = folder.path() / "results.sqlite";
  {  // version 5 is what the first four steps make
    SQLite::Database made(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    made.exec(kSchema2);
    migrate_2_to_3(made);
    migrate_3_to_4(made);
    migrate_4_to_5(made);
    made.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = 5", kApplicationId));
    made.exec("INSERT INTO plugin VALUES(1, 'loss', 'ce', '1.0.0', 'source', 'binary', 'tag')");
  }
  Session session = Session::open(file);
  EXPECT_EQ(user_version(file), kSchemaVersion);
  EXPECT_EQ(session.planning().put_plugin({"loss", "ce", "1.0.0", "source", "binary", "tag"}), 1);
  session.planning().put_plugin({"postprocessor", "knn", "1.0.0", "source", "binary", "tag", "stable"});
  std::vector<std::string> tiers;
  for (const PluginRecord& plugin : session.results().plugins()) tiers.push_back(plugin.name + " " + plugin.tier);
  EXPECT_EQ(tiers, (std::vector<std::string>{"ce exact", "knn stable"}));
  EXPECT_TRUE(std::filesystem::exists(file.string() + ".v5.backup"));
}

}  // namespace
}  // namespace nearfar
