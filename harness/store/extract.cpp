#include "store/extract.h"

#include "base/error.h"
#include "base/text.h"
#include "store/merge_rows.h"
#include "store/migrate.h"
#include "store/parts.h"
#include "store/process.h"
#include "store/sqlite_database.h"
#include "store/sqlite_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// "weights=/home/x/w.bin;k=5" → "weights=w.bin;k=5".
std::string without_folders(const std::string& params) {
  std::vector<std::string> entries = split(params, ';');
  for (std::string& entry : entries) {
    const std::size_t value = entry.find('=') == std::string::npos ? 0 : entry.find('=') + 1;
    if (value < entry.size() && entry[value] == '/')
      entry.replace(value, std::string::npos, fs::path(entry).filename());
  }
  return join(entries, ";");
}

/// Folders whose names must not be given away.
std::vector<std::string> folders_of_this_machine(const Shard& shard) {
  std::vector<std::string> folders{shard.folder().string()};
  SQLite::Statement rows = shard.query("SELECT root FROM location WHERE host <> ''");
  while (rows.executeStep()) folders.push_back(rows.getColumn(0).getString());
  if (const char* home = std::getenv("HOME")) folders.emplace_back(home);
  std::erase_if(folders, [](const std::string& folder) { return folder.size() < 3 || folder.front() != '/'; });
  return folders;
}

bool is_of_a_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/// As a whole: "/root" is not in "data/root", nor in "/rooted".
bool names_folder(const std::string& text, const std::string& folder) {
  for (std::size_t at = text.find(folder); at != std::string::npos; at = text.find(folder, at + 1)) {
    const std::size_t end = at + folder.size();
    if ((at == 0 || !is_of_a_name(text[at - 1])) && (end == text.size() || !is_of_a_name(text[end]))) return true;
  }
  return false;
}

class Extractor {
 public:
  Extractor(const fs::path& source, SQLite::Database& target)
      : shard_(source, "no bundle was made"), db_(target), private_(folders_of_this_machine(shard_)) {}

  Extraction run(std::span<const std::string> evaluations, const std::string& experiment) {
    choose(evaluations);
    benchmarks();
    plugins();
    add("INSERT INTO location VALUES(1, '', '.')");
    cells();
    experiments(experiment);
    result_.cells = static_cast<std::int64_t>(keys_.size());
    result_.evaluations = static_cast<std::int64_t>(evaluations.size());
    result_.models = static_cast<std::int64_t>(models_.size());
    std::ranges::sort(result_.files, {}, &ExtractedFile::path);
    return std::move(result_);
  }

 private:
  SQLite::Statement add(const std::string& sql) {
    SQLite::Statement statement(db_, sql);
    if (sql.find('?') == std::string::npos) statement.exec();
    return statement;
  }

  /// The evaluations, and every finished cell of their models on the same benchmark.
  void choose(std::span<const std::string> evaluations) {
    SQLite::Statement one = shard_.query(
        "SELECT model_key, benchmark, coalesce(train_key, '') FROM cell JOIN run ON cell_key = key AND run.attempt ="
        " cell.attempt WHERE key = ? AND cell.state = 'ok' AND run.state = 'ok' AND kind = 'eval'");
    std::set<std::pair<std::string, std::string>> on;  // model, benchmark
    for (const std::string& key : evaluations) {
      SqliteStatements::again(one, key);
      if (!one.executeStep()) {
        throw Error(ErrorKind::store, fmt::format("{}: cell {} has no result any more; run this again",
                                                  shard_.file().string(), key.substr(0, 12)));
      }
      SqliteRow row(one);
      const std::string model = row.text(), benchmark = row.text();
      on.emplace(model, benchmark);
      models_.insert(model);
      keys_.insert(key);
      if (const std::string train = row.text(); !train.empty()) keys_.insert(train);
    }
    SQLite::Statement of_model = shard_.query(
        "SELECT key FROM cell JOIN run ON cell_key = key AND run.attempt = cell.attempt WHERE model_key = ? AND"
        " benchmark = ? AND cell.state = 'ok' AND run.state = 'ok' AND kind IN ('features', 'accuracy')");
    for (const auto& [model, benchmark] : on) {
      SqliteStatements::again(of_model, model, benchmark);
      while (of_model.executeStep()) keys_.insert(of_model.getColumn(0).getString());
    }
  }

  // ---- what cells refer to

  void benchmarks() {
    std::set<std::pair<std::string, std::string>> wanted;
    SQLite::Statement of_cell = shard_.query("SELECT benchmark, data_hash FROM cell WHERE key = ?");
    for (const std::string& key : keys_) {
      SqliteStatements::again(of_cell, key);
      if (of_cell.executeStep()) wanted.emplace(of_cell.getColumn(0).getString(), of_cell.getColumn(1).getString());
    }
    static const std::vector<CopiedColumn> kSet = {{"place", ColumnRule::number},
                                                   {"name", ColumnRule::name},
                                                   {"set_group", ColumnRule::name},
                                                   {"role", ColumnRule::name},
                                                   {"image_count", ColumnRule::number}};
    SQLite::Statement read = shard_.query("SELECT definition_json FROM benchmark WHERE name = ? AND data_hash = ?");
    SQLite::Statement sets = shard_.query(
        fmt::format("SELECT {} FROM benchmark_set WHERE benchmark = ? AND data_hash = ? ORDER BY place", names(kSet)));
    SQLite::Statement put = add("INSERT INTO benchmark VALUES(?, ?, ?)");
    SQLite::Statement put_set =
        add(fmt::format("INSERT INTO benchmark_set(benchmark, data_hash, {}) VALUES({})", names(kSet), marks(7)));
    for (const auto& [name, hash] : wanted) {
      SqliteStatements::again(read, name, hash);
      read.executeStep();
      const std::string definition = read.getColumn(0).getString();
      keep_private(definition, fmt::format("benchmark '{}'", name));
      SqliteStatements::run_again(put, name, hash, definition);
      for (SqliteStatements::again(sets, name, hash); sets.executeStep();) {
        SqliteStatements::again(put_set, name, hash);
        copy_columns(shard_, sets, 0, put_set, 3, kSet, "benchmark_set");
        put_set.exec();
      }
    }
  }

  void plugins() {
    SQLite::Statement of_cell = shard_.query(
        "SELECT coalesce(plugin_id, 0) FROM cell JOIN run ON cell_key = key AND run.attempt = cell.attempt"
        " WHERE key = ?");
    std::set<std::int64_t> used;
    for (const std::string& key : keys_) {
      SqliteStatements::again(of_cell, key);
      if (of_cell.executeStep()) used.insert(of_cell.getColumn(0).getInt64());
    }
    static const std::vector<CopiedColumn> kPlugin = {
        {"kind", ColumnRule::name},        {"name", ColumnRule::name},        {"version", ColumnRule::name},
        {"source_hash", ColumnRule::name}, {"binary_hash", ColumnRule::name}, {"build_tag", ColumnRule::name},
        {"tier", ColumnRule::name}};
    SQLite::Statement rows = shard_.query(fmt::format("SELECT id, {0} FROM plugin ORDER BY {0}", names(kPlugin)));
    SQLite::Statement put = add(fmt::format("INSERT INTO plugin(id, {}) VALUES({})", names(kPlugin), marks(8)));
    while (rows.executeStep()) {
      const std::int64_t id = rows.getColumn(0).getInt64();
      if (!used.contains(id)) continue;
      const std::int64_t ours = static_cast<std::int64_t>(plugin_ids_.size()) + 1;
      plugin_ids_.emplace(id, ours);
      SqliteStatements::again(put, ours);
      copy_columns(shard_, rows, 1, put, 2, kPlugin, "plugin");
      put.exec();
    }
  }

  // ---- cells, their runs, and what hangs on these

  void cells() {
    const std::string columns = names(columns_of_a_cell());
    SQLite::Statement read = shard_.query(fmt::format(
        "SELECT coalesce(train_key, ''), flags, label, identity_json, {} FROM cell WHERE key = ?", columns));
    SQLite::Statement put =
        add(fmt::format("INSERT INTO cell(key, train_key, flags, state, attempt, {}) VALUES(?, ?, ?, 'ok', 1, {})",
                        columns, marks(columns_of_a_cell().size())));
    // Those first that others refer to; the order of the file's rows must not depend on the source.
    std::vector<std::string> order;
    SQLite::Statement is_train = shard_.query("SELECT kind = 'train' FROM cell WHERE key = ?");
    for (const bool trains : {true, false}) {
      for (const std::string& key : keys_) {
        SqliteStatements::again(is_train, key);
        if (is_train.executeStep() && (is_train.getColumn(0).getInt() != 0) == trains) order.push_back(key);
      }
    }
    for (const std::string& key : order) {
      SqliteStatements::again(read, key);
      if (!read.executeStep()) continue;
      SqliteRow row(read);
      const std::string train_key = row.text(), flags = row.text(), label = row.text();
      keep_private(label, "a cell's label");
      keep_private(row.text(), fmt::format("the identity of '{}'", label));
      put.reset();
      put.bind(1, key);
      train_key.empty() ? put.bind(2) : put.bind(2, train_key);
      put.bind(3, canonical_flags(flags));
      copy_columns(shard_, read, 4, put, 4, columns_of_a_cell(), "cell");
      put.exec();
      clean_params(key);
      factors(key);
      run_of(key);
    }
  }

  void clean_params(const std::string& key) {
    SQLite::Statement read(db_, "SELECT training_params, postprocessor_params FROM cell WHERE key = ?");
    read.bind(1, key);
    read.executeStep();
    SQLite::Statement put(db_, "UPDATE cell SET training_params = ?, postprocessor_params = ? WHERE key = ?");
    const std::array<std::string, 2> params{read.getColumn(0).getString(), read.getColumn(1).getString()};
    read.reset();
    SqliteStatements::run_again(put, without_folders(params[0]), without_folders(params[1]), key);
  }

  void factors(const std::string& key) {
    SQLite::Statement read =
        shard_.query("SELECT name, value, is_boolean, is_default FROM cell_factor WHERE cell_key = ? ORDER BY name");
    read.bind(1, key);
    SQLite::Statement put = add("INSERT INTO cell_factor VALUES(?, ?, ?, ?, ?)");
    while (read.executeStep()) {
      SqliteRow row(read);
      Factor factor = row.factor();
      if (auto* text = std::get_if<std::string>(&factor.value)) *text = without_folders(*text);
      std::visit(
          [&](const auto& value) {
            SqliteStatements::run_again(put, key, factor.name, value, std::holds_alternative<bool>(factor.value),
                                        factor.is_default);
          },
          factor.value);
    }
  }

  /// Columns of a run as SELECT names them, with '' for what is of the machine.
  static std::string given_away() {
    std::string text;
    for (const CopiedColumn& column : columns_of_a_run()) {
      const std::string_view name = column.name;
      const bool is_private = name == "owner" || name == "log_file" || name == "message";
      text += fmt::format("{}{}", text.empty() ? "" : ", ", is_private ? fmt::format("'' AS {}", name) : name);
    }
    return text;
  }

  void run_of(const std::string& key) {
    SQLite::Statement read = shard_.query(fmt::format(
        "SELECT uid, coalesce(plugin_id, 0), coalesce(host, ''), coalesce(root, ''), {} FROM run LEFT JOIN location ON"
        " location.id = location_id WHERE cell_key = ?1 AND attempt = (SELECT attempt FROM cell WHERE key = ?1)",
        given_away()));
    read.bind(1, key);
    if (!read.executeStep()) return;
    SqliteRow row(read);
    const std::string uid = row.text();
    const std::int64_t plugin = row.number();
    const std::string host = row.text(), root = row.text();
    const fs::path folder = host.empty() ? (root.empty() || root == "." ? shard_.folder() : shard_.folder() / root)
                            : host == host_name() ? fs::path(root)
                                                  : fs::path();
    SQLite::Statement put =
        add(fmt::format("INSERT INTO run(uid, cell_key, attempt, location_id, plugin_id, {}) VALUES(?, ?, 1, 1, ?, {})",
                        names(columns_of_a_run()), marks(columns_of_a_run().size())));
    put.bind(1, uid);
    put.bind(2, key);
    plugin == 0 ? put.bind(3) : put.bind(3, plugin_ids_.at(plugin));
    copy_columns(shard_, read, 4, put, 4, columns_of_a_run(), "run");
    put.exec();
    for (const CopiedTable& table : tables_of_a_run()) rows_of(table, uid);
    files_of(key, uid, folder);
  }

  void rows_of(const CopiedTable& table, const std::string& uid) {
    SQLite::Statement read = shard_.query(
        fmt::format("SELECT {0} FROM {1} WHERE run_uid = ?{2} ORDER BY {0}", names(table.columns), table.name,
                    // Others are not given away: their rows would tell of nothing.
                    std::string_view(table.name) == "artifact" ? " AND name = 'checkpoint'" : ""));
    read.bind(1, uid);
    SQLite::Statement put = add(fmt::format("INSERT INTO {}(run_uid, {}) VALUES({})", table.name, names(table.columns),
                                            marks(table.columns.size() + 1)));
    while (read.executeStep()) {
      put.reset();
      put.bind(1, uid);
      copy_columns(shard_, read, 0, put, 2, table.columns, table.name);
      put.exec();
    }
  }

  /// Gives the files of the run their new places.
  void files_of(const std::string& key, const std::string& uid, const fs::path& folder) {
    struct Place {
      std::string name, path, sha256;
    };
    const auto places = [&](const char* sql) {
      SQLite::Statement read(db_, sql);
      read.bind(1, uid);
      return collect_rows(std::move(read), [](SqliteRow& row) { return Place{row.text(), row.text(), row.text()}; });
    };
    const auto note = [&](const Place& place, const std::string& path, bool checkpoint) {
      result_.files.push_back({folder.empty() ? fs::path() : folder / place.path, path, place.sha256, checkpoint});
    };
    SQLite::Statement put_scores = add("UPDATE score_set SET path = ? WHERE run_uid = ? AND set_name = ?");
    for (const Place& place : places("SELECT set_name, path, sha256 FROM score_set WHERE run_uid = ?")) {
      const std::string path = fmt::format("scores/{}/{}.npy", key, place.name);
      note(place, path, false);
      SqliteStatements::run_again(put_scores, path, uid, place.name);
    }
    SQLite::Statement put_artifact = add("UPDATE artifact SET path = ? WHERE run_uid = ? AND name = ?");
    for (const Place& place : places("SELECT name, path, sha256 FROM artifact WHERE run_uid = ?")) {
      const std::string path = fmt::format("checkpoints/{}/{}", key, fs::path(place.path).filename().string());
      note(place, path, true);
      SqliteStatements::run_again(put_artifact, path, uid, place.name);
    }
  }

  // ---- experiments

  void experiments(const std::string& only) {
    SQLite::Statement rows = shard_.query(
        "SELECT id, name, config_hash, canonical_text, composed_toml, created_unix_ms FROM experiment JOIN config"
        " ON hash = config_hash ORDER BY turn, name, config_hash");
    std::int64_t ours = 0;
    while (rows.executeStep()) {
      SqliteRow row(rows);
      const std::int64_t id = row.number();
      const std::string name = row.text(), hash = row.text(), canonical = row.text(), composed = row.text();
      const std::vector<std::string> order = chosen_of(id);
      if (order.empty() || (!only.empty() && name != only)) continue;
      keep_private(canonical + composed, fmt::format("the config of experiment '{}'", name));
      SQLite::Statement config = add("INSERT INTO config VALUES(?, ?, ?) ON CONFLICT DO NOTHING");
      SqliteStatements::run_again(config, hash, canonical, composed);
      SQLite::Statement put = add("INSERT INTO experiment VALUES(?, ?, ?, '', ?, ?)");
      ++ours;
      SqliteStatements::run_again(put, ours, name, hash, row.number(), ours);
      SQLite::Statement place = add("INSERT INTO experiment_cell VALUES(?, ?, ?)");
      for (std::size_t i = 0; i < order.size(); ++i)
        SqliteStatements::run_again(place, ours, static_cast<std::int64_t>(i), order[i]);
    }
  }

  /// Chosen cells of an experiment, in its order.
  std::vector<std::string> chosen_of(std::int64_t experiment) const {
    std::vector<std::string> chosen;
    SQLite::Statement rows =
        shard_.query("SELECT cell_key FROM experiment_cell WHERE experiment_id = ? ORDER BY place");
    rows.bind(1, experiment);
    while (rows.executeStep()) {
      if (std::string key = rows.getColumn(0).getString(); keys_.contains(key)) chosen.push_back(std::move(key));
    }
    return chosen;
  }

  void keep_private(const std::string& text, const std::string& what) const {
    for (const std::string& folder : private_) {
      if (!names_folder(text, folder)) continue;
      throw Error(ErrorKind::config,
                  fmt::format("{}: {} names the folder {}, which would be given away, and is part of what its hash was "
                              "made of; name files by relative paths, run that experiment again, and bundle it; no "
                              "bundle was made",
                              shard_.file().string(), what, folder));
    }
  }

  Shard shard_;
  SQLite::Database& db_;
  std::vector<std::string> private_;
  Extraction result_;
  std::set<std::string> keys_, models_;
  std::map<std::int64_t, std::int64_t> plugin_ids_;  // theirs → ours
};

}  // namespace

Extraction extract_cells(const fs::path& database, std::span<const std::string> evaluations,
                         const std::string& experiment, const fs::path& target) {
  return translate(database, [&] {
    const auto made = connect(target.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    try {
      made->exec(
          "PRAGMA page_size = 4096; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;"
          "PRAGMA foreign_keys = OFF; BEGIN");
      migrate(*made, 0);
      Extraction result = Extractor(database, *made).run(evaluations, experiment);
      made->exec("COMMIT; VACUUM");  // pages in one order, without what an update left behind
      return result;
    } catch (...) {
      std::error_code ignored;
      fs::remove(target, ignored);
      throw;
    }
  });
}

}  // namespace nearfar
