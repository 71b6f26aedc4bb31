#pragma once
/// Databases to merge: one training, kNN and MSP on it, with keys that are the hashes of their identities.
#include "base/files.h"
#include "store/merge.h"
#include "store/sample.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <string>
#include <vector>

namespace nearfar::testing {

inline BenchmarkRecord shard_benchmark(const std::string& far_hash = "f0", const std::string& data_hash = kDataHash) {
  BenchmarkRecord record = sample_benchmark();
  record.data_hash = data_hash;
  record.definition_json = fmt::format(
      R"({{"classes": ["a", "b"], "sets": [{{"name": "test", "hash": "7e57"}}, {{"name": "far/digits", "hash": "{}"}}]}})",
      far_hash);
  return record;
}

inline CellRecord identified(CellRecord cell, const std::string& what) {
  cell.identity_json = fmt::format(R"({{"what":"{}"}})", what);
  cell.key = sha256(cell.identity_json);
  return cell;
}

inline CellRecord shard_train() {
  CellRecord cell = identified(train_cell("ce", 0), "ce");
  cell.model_key = cell.key;
  return cell;
}
inline CellRecord shard_eval(const std::string& postprocessor) {
  return identified(eval_cell(shard_train(), postprocessor), postprocessor);
}

/// What a host has done in FOLDER/results.sqlite.
class ShardMaker {
 public:
  explicit ShardMaker(const std::filesystem::path& folder, const BenchmarkRecord& benchmark = shard_benchmark())
      : session_(Session::open(folder / "results.sqlite")), benchmark_(benchmark) {
    session_.in_transaction([&] {
      ExperimentRecord experiment = sample_experiment("one");
      experiment.hash = sha256(experiment.canonical);
      session_.planning().put_benchmark(benchmark);
      location_ = session_.planning().put_location(folder);
      std::vector<CellRecord> cells{shard_train(), shard_eval("knn"), shard_eval("msp")};
      for (CellRecord& cell : cells) cell.data_hash = benchmark.data_hash;
      put(session_, session_.planning().put_experiment(experiment), cells);
    });
  }

  /// Returns the run's uid.
  std::string claim(const CellRecord& cell) {
    RunContext with = context();
    with.location = location_;
    return session_.queue().claim(cell.key, with).value().run_uid;
  }
  std::string train() {
    const std::string uid = claim(shard_train());
    Outcome outcome = train_result();
    outcome.curve = {{"train_loss", 0, 0.5}};
    outcome.artifacts = {{"checkpoint", "cells/0123456789abcdef/best.safetensors", sha256("weights"), 7}};
    session_.queue().finish(uid, outcome);
    return uid;
  }
  std::string eval(const std::string& postprocessor, double near_auroc) {
    const std::string uid = claim(shard_eval(postprocessor));
    session_.queue().finish(uid, eval_result({near_auroc, 0.9, 0.9, 1}, {0.5, 0.5, 0.5, 0}));
    return uid;
  }
  void all(double near_auroc = 0.8) {
    train();
    eval("knn", near_auroc);
    eval("msp", near_auroc);
  }
  Session& session() { return session_; }
  std::filesystem::path file() const { return session_.name(); }

 private:
  Session session_;
  BenchmarkRecord benchmark_;
  std::int64_t location_ = 0;
};

/// Every row of a database as text, but for the given tables.
inline std::string dump_of(const std::filesystem::path& file, const std::string& without = "") {
  std::string text;
  SQLite::Database database(file.string());
  SQLite::Statement tables(database, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
  while (tables.executeStep()) {
    const std::string table = tables.getColumn(0).getString();
    if (table == without) continue;
    SQLite::Statement rows(database, "SELECT * FROM " + table + " ORDER BY 1, 2");
    while (rows.executeStep()) {
      text += table;
      for (int i = 0; i < rows.getColumnCount(); ++i) text += "|" + rows.getColumn(i).getString();
      text += "\n";
    }
  }
  return text;
}

}  // namespace nearfar::testing
