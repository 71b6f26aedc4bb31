/// The rows of one shard: what a run left hangs on its uid, so a run is copied as a whole or not at all.
#include "store/merge_shard.h"

#include "base/error.h"
#include "base/hash.h"
#include "store/merge_rows.h"
#include "store/parts.h"
#include "store/process.h"
#include "store/sqlite_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_set>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLatestUnixMs = 7'258'118'400'000;  // 2200: what is later would be newer than anything for ever
constexpr std::size_t kUidDigits = 32, kUidTimeDigits = 12;

class ShardMerge {
 public:
  ShardMerge(SqliteDatabase& target, const Shard& shard, const MergeOptions& options,
             std::vector<Disagreement>& disagreements)
      : target_(target), db_(target), shard_(shard), options_(options), disagreements_(disagreements) {
    result_.file = shard.file();
  }

  MergedShard run() {
    changed_ = merge_benchmarks(target_, shard_, options_.allow_mixed);
    plugins();
    locations();
    const std::map<std::int64_t, std::int64_t> experiment_ids = experiments();
    prepare();
    cells();
    for (const auto& [theirs, ours] : experiment_ids) places(theirs, ours);
    events();
    if (changed_) target_.note_ready_change();
    result_.unfinished = number_in_shard("SELECT count(*) FROM run WHERE state = 'running'");
    return std::move(result_);
  }

 private:
  std::int64_t number_in_shard(const char* sql) const {
    SQLite::Statement statement = shard_.query(sql);
    return statement.executeStep() ? statement.getColumn(0).getInt64() : 0;
  }

  std::string checked(std::string text, TextRule rule, std::string_view what) const {
    shard_.check(text, rule, what);
    return text;
  }
  std::string checked_name(SqliteRow& row, std::string_view what) const {
    return checked(row.text(), TextRule::name, what);
  }

  // ---- benchmarks, plugins, locations, experiments

  void plugins() {
    SQLite::Statement rows = shard_.query(
        "SELECT id, kind, name, version, source_hash, binary_hash, build_tag, tier FROM plugin ORDER BY id");
    const std::unique_ptr<PlanStore> store = make_planning(target_);
    while (rows.executeStep()) {
      SqliteRow row(rows);
      const std::int64_t id = row.number();
      PluginRecord plugin;
      for (std::string* field : {&plugin.kind, &plugin.name, &plugin.version, &plugin.source_hash, &plugin.binary_hash,
                                 &plugin.build_tag, &plugin.tier}) {
        *field = checked_name(row, "a plugin's field");
      }
      plugin_ids_[id] = store->put_plugin(plugin);
    }
  }

  void locations() {
    SQLite::Statement rows = shard_.query("SELECT id, host, root FROM location ORDER BY id");
    while (rows.executeStep()) {
      SqliteRow row(rows);
      const std::int64_t id = row.number();
      const std::string host = checked_name(row, "a location's host"), root = row.text();
      shard_.check(root, host.empty() ? TextRule::path : TextRule::address, "a location's folder");
      if (host.empty()) {
        const fs::path folder = root == "." ? shard_.folder() : shard_.folder() / root;
        look_for_files(id, folder);
        location_ids_[id] = put_location(target_, folder);
      } else if (host == host_name()) {
        location_ids_[id] = put_location(target_, root);
      } else {
        db_.run("INSERT INTO location(host, root) VALUES(?, ?) ON CONFLICT DO NOTHING", host, root);
        location_ids_[id] = db_.number("SELECT id FROM location WHERE host = ? AND root = ?", host, root).value();
      }
    }
  }

  /// A shard that was copied without its output folder: a few files tell.
  void look_for_files(std::int64_t location, const fs::path& folder) {
    SQLite::Statement paths = shard_.query(
        "SELECT path FROM run JOIN artifact ON run_uid = uid WHERE location_id = ? AND state = 'ok' LIMIT 5");
    paths.bind(1, location);
    bool asked = false;
    while (paths.executeStep()) {
      asked = true;
      const std::string path = checked(paths.getColumn(0).getString(), TextRule::path, "a file's path");
      std::error_code error;
      if (fs::exists(folder / path, error)) return;
    }
    if (asked) result_.missing_at = folder;
  }

  std::map<std::int64_t, std::int64_t> experiments() {
    std::map<std::int64_t, std::int64_t> ids;
    SQLite::Statement rows = shard_.query(
        "SELECT id, name, config_hash, canonical_text, composed_toml, profile_toml, created_unix_ms FROM experiment "
        "JOIN"
        " config ON hash = config_hash ORDER BY turn, id");
    while (rows.executeStep()) {
      SqliteRow row(rows);
      const std::int64_t id = row.number();
      const std::string name = checked_name(row, "an experiment's name"), hash = row.text(), canonical = row.text(),
                        composed = checked(row.text(), TextRule::text, "a config"),
                        profile = checked(row.text(), TextRule::text, "a profile");
      if (sha256(checked(canonical, TextRule::text, "a config")) != hash)
        shard_.refuse(fmt::format("the config of experiment '{}' has not the hash that it is stored under", name));
      ids[id] = put_experiment(name, hash, canonical, composed, profile, row.number());
    }
    return ids;
  }

  std::int64_t put_experiment(const std::string& name, const std::string& hash, const std::string& canonical,
                              const std::string& composed, const std::string& profile, std::int64_t created) {
    if (const auto id = db_.number("SELECT id FROM experiment WHERE name = ? AND config_hash = ?", name, hash))
      return *id;
    changed_ = true;
    db_.run("INSERT INTO config VALUES(?, ?, ?) ON CONFLICT DO NOTHING", hash, canonical, composed);
    return db_
        .number(
            "INSERT INTO experiment(name, config_hash, profile_toml, created_unix_ms, turn)"
            " VALUES(?, ?, ?, ?, (SELECT coalesce(max(turn), 0) + 1 FROM experiment)) RETURNING id",
            name, hash, profile, created)
        .value();
  }

  // ---- cells and their runs

  void prepare() {
    const std::string cell = names(columns_of_a_cell()), run = names(columns_of_a_run());
    read_runs_.emplace(shard_.query(
        fmt::format("SELECT uid, coalesce(location_id, 0), coalesce(plugin_id, 0), {} FROM run WHERE cell_key = ?"
                    " AND state <> 'running' ORDER BY uid",
                    run)));
    read_factors_.emplace(
        shard_.query("SELECT name, value, is_boolean, is_default FROM cell_factor WHERE cell_key = ?"));
    add_cell_.emplace(db_.query(fmt::format("INSERT INTO cell(key, train_key, flags, {}) VALUES({})", cell,
                                            marks(columns_of_a_cell().size() + 3))
                                    .c_str()));
    add_factor_.emplace(db_.query("INSERT INTO cell_factor VALUES(?, ?, ?, ?, ?)"));
    add_run_.emplace(db_.query(fmt::format("INSERT INTO run(uid, cell_key, attempt, location_id, plugin_id, {})"
                                           " VALUES({})",
                                           run, marks(columns_of_a_run().size() + 5))
                                   .c_str()));
    known_cell_.emplace(db_.query("SELECT flags FROM cell WHERE key = ?"));
    known_run_.emplace(db_.query("SELECT cell_key, state FROM run WHERE uid = ?"));
    last_attempt_.emplace(db_.query("SELECT coalesce(max(attempt), 0) FROM run WHERE cell_key = ?"));
    for (const CopiedTable& table : tables_of_a_run()) {
      read_tables_.push_back(
          shard_.query(fmt::format("SELECT {} FROM {} WHERE run_uid = ?", names(table.columns), table.name)));
      add_tables_.push_back(db_.query(fmt::format("INSERT INTO {}(run_uid, {}) VALUES({})", table.name,
                                                  names(table.columns), marks(table.columns.size() + 1))
                                          .c_str()));
    }
  }

  /// Train cells first: others refer to them, and are chosen by where theirs lies.
  void cells() {
    SQLite::Statement rows =
        shard_.query(fmt::format("SELECT key, coalesce(train_key, ''), flags, state, message, label, {} FROM cell"
                                 " ORDER BY train_key IS NOT NULL, kind <> 'train', key",
                                 names(columns_of_a_cell())));
    while (rows.executeStep()) {
      ++result_.cells;
      SqliteRow row(rows);
      const std::string key = row.text(), train_key = row.text(), flags = checked_name(row, "a cell's flags");
      ShardCell cell{.key = key, .label = {}, .state = row.text(), .message = row.text(), .good_uids = {}};
      cell.label = row.text();
      shard_.check(cell.message, TextRule::text, "a cell's message");
      const bool is_new = put_cell(rows, key, train_key, flags);
      const bool has_new = put_runs(cell);
      changed_ |= is_new || has_new;
      if (!is_new && !has_new && cell.state != "not-applicable") continue;
      settle_cell(target_, cell);
      if (!has_new) continue;
      if (auto found = compare_runs(target_, cell, options_.tolerance)) tell(*std::move(found));
    }
  }

  void check_identity(SQLite::Statement& rows, const std::string& key, const std::string& train_key) const {
    const std::string kind = rows.getColumn("kind").getString(), model = rows.getColumn("model_key").getString();
    shard_.check(key, TextRule::hex, "a cell's key");
    if (sha256(rows.getColumn("identity_json").getString()) != key)
      shard_.refuse(fmt::format("the identity of cell {} has not the hash that is its key", key.substr(0, 12)));
    const bool whole = kind == "train" ? model == key && train_key.empty() : train_key.empty() || model == train_key;
    if (!whole) shard_.refuse(fmt::format("cell {} is not of the model that it says", key.substr(0, 12)));
  }

  /// True if it is new.
  bool put_cell(SQLite::Statement& rows, const std::string& key, const std::string& train_key,
                const std::string& flags) {
    check_identity(rows, key, train_key);
    SqliteStatements::again(*known_cell_, key);
    if (known_cell_->executeStep()) {
      const std::string before = known_cell_->getColumn(0).getString();
      known_cell_->reset();
      const std::string joined = canonical_flags(before + ";" + flags);
      if (joined != before) db_.run("UPDATE cell SET flags = ? WHERE key = ?", joined, key);
      return false;
    }
    known_cell_->reset();
    add_cell_->reset();
    add_cell_->bind(1, key);
    train_key.empty() ? add_cell_->bind(2) : add_cell_->bind(2, train_key);
    add_cell_->bind(3, canonical_flags(flags));
    constexpr int kBefore = 6;  // key, train_key, flags, state, message, shown
    copy_columns(shard_, rows, kBefore, *add_cell_, 4, columns_of_a_cell(), "cell");
    add_cell_->exec();
    put_factors(key);
    ++result_.new_cells;
    return true;
  }

  void put_factors(const std::string& key) {
    SqliteStatements::again(*read_factors_, key);
    while (read_factors_->executeStep()) {
      const SQLite::Column value = read_factors_->getColumn(1);
      if (value.isBlob() || value.isNull())
        shard_.refuse(fmt::format("a factor of cell {} is no value", key.substr(0, 12)));
      if (value.isText()) shard_.check(value.getString(), TextRule::text, "a factor");
      SqliteRow row(*read_factors_);
      const Factor factor = row.factor();
      shard_.check(factor.name, TextRule::name, "a factor's name");
      std::visit(
          [&](const auto& content) {
            SqliteStatements::run_again(*add_factor_, key, factor.name, content,
                                        std::holds_alternative<bool>(factor.value), factor.is_default);
          },
          factor.value);
    }
  }

  /// True if there was a new one.
  bool put_runs(ShardCell& cell) {
    bool any_new = false;
    for (SqliteStatements::again(*read_runs_, cell.key); read_runs_->executeStep();) {
      ++result_.runs;
      SqliteRow row(*read_runs_);
      const std::string uid = checked_uid(row.text());
      const std::int64_t location = row.number(), plugin = row.number();
      const std::string state = row.text();
      if (state == "ok" && cell.state == "ok") cell.good_uids.push_back(uid);
      SqliteStatements::again(*known_run_, uid);
      if (known_run_->executeStep()) {
        const bool same =
            known_run_->getColumn(0).getString() == cell.key && known_run_->getColumn(1).getString() == state;
        known_run_->reset();
        if (!same) shard_.refuse(fmt::format("run {} is another one in the database merged into", uid));
        continue;
      }
      known_run_->reset();
      check_state(state);
      put_run(cell.key, uid, location, plugin);
      any_new = true;
    }
    return any_new;
  }

  void put_run(const std::string& key, const std::string& uid, std::int64_t location, std::int64_t plugin) {
    SqliteStatements::again(*last_attempt_, key);
    const std::int64_t attempt = last_attempt_->executeStep() ? last_attempt_->getColumn(0).getInt64() + 1 : 1;
    last_attempt_->reset();
    const auto mapped = [](const std::map<std::int64_t, std::int64_t>& ids, std::int64_t id) {
      return id == 0 ? std::nullopt : std::optional<std::int64_t>(ids.at(id));
    };
    SqliteStatements::again(*add_run_, uid, key, attempt, mapped(location_ids_, location), mapped(plugin_ids_, plugin));
    copy_columns(shard_, *read_runs_, 3, *add_run_, 6, columns_of_a_run(), "run");
    add_run_->exec();
    for (std::size_t i = 0; i < tables_of_a_run().size(); ++i) {
      const CopiedTable& table = tables_of_a_run()[i];
      for (SqliteStatements::again(read_tables_[i], uid); read_tables_[i].executeStep();) {
        add_tables_[i].reset();
        add_tables_[i].bind(1, uid);
        copy_columns(shard_, read_tables_[i], 0, add_tables_[i], 2, table.columns, table.name);
        add_tables_[i].exec();
      }
    }
    ++result_.new_runs;
  }

  void check_state(const std::string& state) const {
    try {
      state_from_name(state);
    } catch (const Error& unknown) {
      shard_.refuse(unknown.what());
    }
  }

  std::string checked_uid(std::string uid) const {
    shard_.check(uid, TextRule::hex, "a run's uid");
    std::int64_t time = 0;
    std::from_chars(uid.data(), uid.data() + std::min(uid.size(), kUidTimeDigits), time, 16);
    if (uid.size() != kUidDigits || time > kLatestUnixMs) shard_.refuse(fmt::format("'{}' is no uid of a run", uid));
    return uid;
  }

  void tell(Disagreement found) {
    add_event(target_, "warn", found.key,
              fmt::format("runs disagree: {} is {:.4f} … {:.4f} % over {} runs; {} is kept", found.what,
                          100 * found.smallest, 100 * found.largest, found.runs, found.kept_uid));
    disagreements_.push_back(std::move(found));
  }

  /// The cells of an experiment: ours stay where they are, new ones come after them in their order.
  void places(std::int64_t theirs, std::int64_t ours) {
    const auto keys =
        collect_rows(db_.query("SELECT cell_key FROM experiment_cell WHERE experiment_id = ? ORDER BY place", ours),
                     [](SqliteRow& row) { return row.text(); });
    const std::unordered_set<std::string> known(keys.begin(), keys.end());
    std::int64_t place =
        db_.number("SELECT max(place) FROM experiment_cell WHERE experiment_id = ?", ours).value_or(-1);
    SQLite::Statement add = db_.query("INSERT INTO experiment_cell(experiment_id, place, cell_key) VALUES(?, ?, ?)");
    SQLite::Statement rows =
        shard_.query("SELECT cell_key FROM experiment_cell WHERE experiment_id = ? ORDER BY place");
    rows.bind(1, theirs);
    while (rows.executeStep()) {
      const std::string key = rows.getColumn(0).getString();
      if (known.contains(key)) continue;
      SqliteStatements::run_again(add, ours, ++place, key);
      changed_ = true;
    }
  }

  void events() {
    const auto identity = [](std::int64_t time, std::string_view level, std::string_view key,
                             std::string_view message) {
      return sha256(fmt::format("{} {} {} {}", time, level, key, message));
    };
    constexpr const char* kSelect = "SELECT time_unix_ms, level, cell_key, message FROM event ORDER BY id";
    std::unordered_set<std::string> known;
    for (SQLite::Statement rows = db_.query(kSelect); rows.executeStep();) {
      SqliteRow row(rows);
      const std::int64_t time = row.number();
      const std::string level = row.text(), key = row.text();
      known.insert(identity(time, level, key, row.text()));
    }
    SQLite::Statement add = db_.query("INSERT INTO event(time_unix_ms, level, cell_key, message) VALUES(?, ?, ?, ?)");
    SQLite::Statement rows = shard_.query(kSelect);
    while (rows.executeStep()) {
      SqliteRow row(rows);
      const std::int64_t time = row.number();
      const std::string level = checked_name(row, "an event's level"), key = checked_name(row, "an event's cell"),
                        message = checked(row.text(), TextRule::text, "an event");
      if (time < 0 || time > kLatestUnixMs) shard_.refuse("an event is not of this time");
      if (known.insert(identity(time, level, key, message)).second)
        SqliteStatements::run_again(add, time, level, key, message);
    }
  }

  SqliteDatabase& target_;
  SqliteStatements db_;  // of it
  const Shard& shard_;
  const MergeOptions& options_;
  std::vector<Disagreement>& disagreements_;
  MergedShard result_;
  bool changed_ = false;
  std::map<std::int64_t, std::int64_t> plugin_ids_, location_ids_;  // theirs → ours
  std::optional<SQLite::Statement> read_runs_, read_factors_, add_cell_, add_factor_, add_run_, known_cell_, known_run_,
      last_attempt_;
  std::vector<SQLite::Statement> read_tables_, add_tables_;  // as tables_of_a_run()
};

}  // namespace

MergedShard merge_shard(SqliteDatabase& target, const Shard& shard, const MergeOptions& options,
                        std::vector<Disagreement>& disagreements) {
  return ShardMerge(target, shard, options, disagreements).run();
}

}  // namespace nearfar
