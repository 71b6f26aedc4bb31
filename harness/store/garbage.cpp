/// What nothing refers to. An output folder has cells/KEY/ (the first 16 digits of a cell's key) with what a cell wrote
/// and the logs of a model, and cache/MODEL/SET/ with the features of a model (plan/plan.h). A folder is in use as a
/// whole or not at all: what a file is accompanied by (best.json, features.npy) is its writer's affair.
#include "store/garbage.h"

#include "base/error.h"
#include "base/files.h"
#include "store/address.h"
#include "store/parts.h"
#include "store/process.h"
#include "store/rows.h"
#include "store/sqlite_database.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShortKey = 16;
/// A process that lives writes to its temporaries more often than that, or has them open.
constexpr std::chrono::hours kTemporaryRest{1};

/// What the database knows, by first digits of keys; folders with '/' at the end.
struct Uses {
  std::map<std::string, std::set<std::string>> folders_by_root;  ///< canonical root → folders beneath it in use
  std::set<std::string> wanted;  ///< cells and models that are not finished and that somebody asks for or works on
  std::map<std::string, std::string> labels;  ///< of every key and model known
};

std::string short_key(std::string_view key) { return std::string(key.substr(0, kShortKey)); }

bool is_short_key(const std::string& name) {
  return name.size() == kShortKey && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The folder that a file is used with: cells/KEY/ as a whole, else the one it lies in.
std::string folder_of(const std::string& path) {
  if (path.starts_with("cells/")) {
    if (const std::size_t end = path.find('/', 6); end != std::string::npos) return path.substr(0, end + 1);
  }
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

fs::path canonical_path(const fs::path& path) {
  std::error_code error;
  fs::path result = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal() : result;
}

/// Output folders on this host.
std::set<std::string> roots_here(const Database& db) {
  std::set<std::string> roots;
  const auto rows = db.query("SELECT host, root FROM location WHERE host IN ('', ?)", host_name());
  while (rows->step()) {
    Row row(*rows);
    const std::string host = row.text(), root = row.text();
    roots.insert(canonical_path(location_folder(db, host, root)).string());
  }
  return roots;
}

/// Cells of the newest config of some experiment.
constexpr const char* kAskedFor =
    "(SELECT cell_key FROM experiment_cell JOIN experiment ON experiment.id = experiment_id WHERE turn ="
    " (SELECT max(turn) FROM experiment AS same WHERE same.name = experiment.name))";

void add_valid_files(const Database& db, Uses& uses) {
  const auto rows = db.query(
      "SELECT host, root, path FROM v_valid_run JOIN location ON location.id = location_id JOIN (SELECT run_uid, path"
      " FROM artifact UNION ALL SELECT run_uid, path FROM score_set) ON run_uid = uid WHERE host IN ('', ?)",
      host_name());
  std::map<std::pair<std::string, std::string>, std::string> canonical_roots;
  while (rows->step()) {
    Row row(*rows);
    const std::pair<std::string, std::string> place{row.text(), row.text()};
    const auto [root, is_new] = canonical_roots.try_emplace(place);
    if (is_new) root->second = canonical_path(location_folder(db, place.first, place.second)).string();
    uses.folders_by_root[root->second].insert(folder_of(row.text()));
  }
}

/// Logs of the last attempts of cells that are done or asked for.
void add_logs(const Database& db, Uses& uses) {
  const auto rows = db.query(
      fmt::format("SELECT host, root, log_file FROM cell JOIN run ON cell_key = key AND run.attempt = cell.attempt JOIN"
                  " location ON location.id = location_id WHERE host IN ('', ?) AND log_file <> '' AND (cell.state ="
                  " 'ok' OR key IN {})",
                  kAskedFor)
          .c_str(),
      host_name());
  while (rows->step()) {
    Row row(*rows);
    const std::string host = row.text(), root = row.text();
    uses.folders_by_root[canonical_path(location_folder(db, host, root)).string()].insert(folder_of(row.text()));
  }
}

void add_cells(const Database& db, Uses& uses) {
  const auto rows = db.query(
      fmt::format("SELECT key, model_key, label, state, owner, lease_unix_ms, key IN {} FROM cell", kAskedFor).c_str());
  const std::int64_t now = unix_ms();
  std::map<std::string, OwnerState> owners;
  while (rows->step()) {
    Row row(*rows);
    const std::string key = short_key(row.text()), model = short_key(row.text());
    uses.labels.emplace(key, row.text());
    uses.labels.emplace(model, uses.labels.at(key));
    const CellState state = row.state();
    const std::string owner = row.text();
    const bool leased = row.number() > now, asked_for = row.number() != 0;
    bool worked_on = false;
    if (state == CellState::running) {
      const auto [known, is_new] = owners.try_emplace(owner);
      if (is_new) known->second = owner_state(owner);
      worked_on = known->second == OwnerState::alive || (known->second == OwnerState::unknown && leased);
    }
    const bool finished = state == CellState::ok || state == CellState::not_applicable;
    if (!worked_on && (finished || !asked_for)) continue;
    uses.wanted.insert(key);
    uses.wanted.insert(model);
  }
}

/// Paths that processes of this host have open, as far as this user may see.
std::set<std::string> open_files() {
  std::set<std::string> result;
  std::error_code error;
  for (fs::directory_iterator processes("/proc", error), none; !error && processes != none;
       processes.increment(error)) {
    const std::string pid = processes->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code gone;  // processes end while we look
    for (fs::directory_iterator fds(processes->path() / "fd", gone); !gone && fds != none; fds.increment(gone)) {
      std::error_code ignored;
      const fs::path target = fs::read_symlink(fds->path(), ignored);
      if (!ignored && target.is_absolute()) result.insert(target.string());
    }
  }
  return result;
}

std::uint64_t size_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (fs::is_regular_file(status)) return fs::file_size(path, error);
  std::uint64_t bytes = 0;
  if (!fs::is_directory(status)) return 0;
  for (fs::recursive_directory_iterator entry(path, error), none; !error && entry != none; entry.increment(error)) {
    if (std::error_code gone; entry->is_regular_file(gone) && !entry->is_symlink(gone)) {
      const std::uint64_t size = entry->file_size(gone);
      bytes += gone ? 0 : size;
    }
  }
  return bytes;
}

/// When something in it was last written; nothing: it cannot be told.
std::optional<fs::file_time_type> last_write(const fs::path& path) {
  std::error_code error;
  fs::file_time_type latest = fs::last_write_time(path, error);
  if (error) return std::nullopt;
  if (!fs::is_directory(fs::symlink_status(path, error))) return latest;
  for (fs::recursive_directory_iterator entry(path, error), none; !error && entry != none; entry.increment(error)) {
    std::error_code gone;
    const fs::file_time_type time = entry->last_write_time(gone);
    if (!gone) latest = std::max(latest, time);
  }
  return error ? std::nullopt : std::optional(latest);
}

/// ".NAME.RANDOM.tmp" of base/files.h, and the unfinished copy of a migration.
bool is_temporary(const std::string& name) {
  constexpr std::string_view kEnd = ".tmp";
  if (name.ends_with(".backup.part")) return true;
  return name.size() > kShortKey + kEnd.size() + 2 && name.front() == '.' && name.ends_with(kEnd) &&
         is_short_key(name.substr(name.size() - kEnd.size() - kShortKey, kShortKey)) &&
         name[name.size() - kEnd.size() - kShortKey - 1] == '.';
}

class Search {
 public:
  Search(const SqliteDatabase& database, Garbage& garbage) : db_(database), garbage_(garbage) {
    add_valid_files(db_, uses_);
    add_logs(db_, uses_);
    add_cells(db_, uses_);
  }

  void run() {
    for (const std::string& root : roots_here(db_)) look_into(root);
    std::ranges::sort(garbage_.leftovers, {}, &Leftover::path);
    for (const Leftover& leftover : garbage_.leftovers) garbage_.bytes += leftover.bytes;
  }

 private:
  void look_into(const fs::path& root) {
    std::error_code error;
    if (!fs::is_directory(root, error)) return;
    const fs::path database = root / "results.sqlite";
    own_ = fs::equivalent(database, db_.file(), error);
    if (!own_ && fs::exists(database, error)) {
      garbage_.notes.push_back(
          fmt::format("{}: left alone: it is the output folder of another database", root.string()));
      return;
    }
    root_ = root;
    used_ = &uses_.folders_by_root[root.string()];
    temporaries_in(root);
    for (const fs::path& folder : folders_in(root / "cells")) look_at_cell(folder);
    for (const fs::path& folder : folders_in(root / "cache")) look_at_cache(folder);
  }

  static std::vector<fs::path> folders_in(const fs::path& parent) {
    std::vector<fs::path> result;
    std::error_code error;
    for (fs::directory_iterator entry(parent, error), none; !error && entry != none; entry.increment(error)) {
      std::error_code gone;
      if (entry->is_directory(gone) && !entry->is_symlink(gone)) result.push_back(entry->path());
    }
    return result;
  }

  void add(const fs::path& path, std::string why) {
    garbage_.leftovers.push_back({root_, path, size_of(path), std::move(why)});
  }

  void temporaries_in(const fs::path& folder) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), none; !error && entry != none; entry.increment(error)) {
      if (!is_temporary(entry->path().filename().string())) continue;
      const auto written = last_write(entry->path());
      if (written && *written + kTemporaryRest < fs::file_time_type::clock::now() && !is_open(entry->path()))
        add(entry->path(), "a temporary of a process that is gone");
    }
  }

  bool is_open(const fs::path& path) {
    if (!open_) open_ = open_files();
    const auto first = open_->lower_bound(path.string());
    return first != open_->end() && first->starts_with(path.string());
  }

  /// "" for a key that is in use or whose owner is not known to be this database.
  std::string why_unused(const std::string& key) const {
    if (uses_.wanted.contains(key)) return "";
    const auto label = uses_.labels.find(key);
    if (label == uses_.labels.end()) return own_ ? "no cell has this key" : "";
    return fmt::format("{}: its result lies elsewhere, or nobody asks for one any more", label->second);
  }

  void look_at_cell(const fs::path& folder) {
    const std::string key = folder.filename().string();
    const std::string why = is_short_key(key) ? why_unused(key) : "";
    if (!why.empty() && !used_->contains("cells/" + key + "/")) return add(folder, why);
    temporaries_in(folder);
    for (const fs::path& inner : folders_in(folder)) temporaries_in(inner);
  }

  void look_at_cache(const fs::path& folder) {
    const std::string key = folder.filename().string(), prefix = "cache/" + key + "/";
    const std::string why = is_short_key(key) ? why_unused(key) : "";
    const auto first = used_->lower_bound(prefix);
    const bool some_in_use = first != used_->end() && first->starts_with(prefix);
    if (!why.empty() && !some_in_use) return add(folder, why);
    temporaries_in(folder);
    for (const fs::path& one : folders_in(folder)) {
      if (one.filename() == "head" || is_temporary(one.filename().string())) continue;  // head/ is of all sets
      temporaries_in(one);
      std::error_code error;
      const bool is_set = fs::exists(one / "manifest.json", error);
      for (const fs::path& set : is_set ? std::vector{one} : folders_in(one)) {  // test/, near/NAME/
        if (is_temporary(set.filename().string())) continue;
        const std::string name = prefix + set.lexically_relative(folder).string() + "/";
        if (!why.empty() && !used_->contains(name)) add(set, "features that no cell needs");
      }
    }
  }

  const SqliteDatabase& db_;
  Garbage& garbage_;
  Uses uses_;
  fs::path root_;                                // that is looked into
  const std::set<std::string>* used_ = nullptr;  // beneath it
  bool own_ = false;                             // it is this database's own output folder
  std::optional<std::set<std::string>> open_;
};

/// Out of its place at once, so that nothing waits for the removal of gigabytes. False: another file system.
bool move_away(const fs::path& from, const fs::path& trash, std::size_t number) {
  std::error_code error;
  fs::create_directory(trash, error);
  fs::rename(from, trash / std::to_string(number), error);
  return !error;
}

/// Up to cells/ and cache/, which stay.
void remove_empty_parents(fs::path folder, const fs::path& root) {
  std::error_code error;
  for (; folder.parent_path() != root && folder != root; folder = folder.parent_path()) {
    if (!fs::is_empty(folder, error) || error || !fs::remove(folder, error)) return;
  }
}

}  // namespace

Garbage find_garbage(const SqliteDatabase& database) {
  Garbage garbage;
  Search(database, garbage).run();
  return garbage;
}

Garbage collect_garbage(const fs::path& file, bool dry_run) {
  refuse_server(file, "nearfar db gc",
                "several machines write beneath its output folders, so nothing there is removed: files of results are "
                "in its tables artifact and score_set");
  if (dry_run) {
    SqliteDatabase database(file, Database::Mode::read_only);
    return database.once(Database::Begin::snapshot, [&] { return find_garbage(database); });
  }
  std::error_code missing;
  if (!fs::exists(file, missing)) SqliteDatabase(file, Database::Mode::read_only);  // says so; writing would make one
  SqliteDatabase database(file, Database::Mode::write);
  std::set<fs::path> trashes;
  const fs::path trash_name = temporary_name("gc");
  // Under the write lock nobody claims a cell between the look and the removal.
  Garbage garbage = database.once(Database::Begin::exclusive, [&] {
    Garbage found = find_garbage(database);
    std::size_t number = 0;
    for (const Leftover& leftover : found.leftovers) {
      const fs::path trash = leftover.folder / trash_name;
      std::error_code error;
      if (move_away(leftover.path, trash, number++)) {
        trashes.insert(trash);
      } else {
        fs::remove_all(leftover.path, error);
      }
      remove_empty_parents(leftover.path.parent_path(), leftover.folder);
    }
    if (!found.leftovers.empty()) {
      add_event(database, "info", "",
                fmt::format("db gc: {} files and folders with {} bytes removed", found.leftovers.size(), found.bytes));
    }
    return found;
  });
  for (const fs::path& trash : trashes) {
    std::error_code error;
    fs::remove_all(trash, error);
    if (error) garbage.notes.push_back(fmt::format("{}: cannot be removed: {}", trash.string(), error.message()));
  }
  return garbage;
}

}  // namespace nearfar
