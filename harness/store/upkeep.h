#pragma once
/// Upkeep of a results database: is it whole, a copy of it, what lies about that nothing refers to. For `nearfar db`.
/// Others may work with the same database meanwhile. Safe from any thread. Failures are Error(store).
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

struct Leftover {
  std::filesystem::path folder = {};  ///< the output folder that it lies beneath
  std::filesystem::path path = {};    ///< absolute; a file or a whole folder
  std::uint64_t bytes = 0;            ///< of the files in it
  std::string why = {};               ///< "no cell has this key"
};

struct DatabaseCheck {
  std::vector<std::string> problems = {};  ///< what is wrong, each with what to do; empty: all is well
  std::vector<std::string> notes = {};     ///< worth knowing, and not wrong
  std::vector<Leftover> leftovers = {};    ///< what collect_garbage() would remove
  std::int64_t cell_count = 0, result_count = 0;
  std::int64_t file_count = 0;       ///< of valid results, looked at here
  std::int64_t elsewhere_count = 0;  ///< of valid results, on other hosts
  std::uint64_t file_bytes = 0;      ///< of those looked at
};

/// SQLite's own checks, foreign keys, states that contradict each other, and every file that a valid result refers to:
/// there, with its size and, if `deep`, its SHA-256. Reads only. Error(store) where the file cannot be opened at all.
DatabaseCheck check_database(const std::filesystem::path& file, bool deep);

/// A copy of one state of the database, also while others write: whole and on disk when it returns, or not there at
/// all. Error(config) if `target` exists.
void back_up_database(const std::filesystem::path& file, const std::filesystem::path& target);

struct Garbage {
  std::vector<Leftover> leftovers = {};  ///< removed, or with `dry_run` to be removed
  std::vector<std::string> notes = {};   ///< folders left alone, and why
  std::uint64_t bytes = 0;               ///< of all of them
};

/// Files beneath the output folders of this database on this host that nothing refers to: of cells whose result lies
/// elsewhere by now, of cells that no experiment asks for and that have no result, of keys that nobody knows (only
/// where the folder is this database's own), features that no cell needs, temporaries of dead processes. Never what a
/// valid result refers to, what an unfinished cell may go on from, or what a process that may live is writing.
Garbage collect_garbage(const std::filesystem::path& file, bool dry_run);

}  // namespace nearfar
