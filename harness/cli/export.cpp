#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "cli/verbs.h"
#include "store/session.h"

#include <fmt/format.h>

namespace nearfar {

int export_verb(const DatabaseArguments& database, const std::string& cell, const std::filesystem::path& scores) {
  namespace fs = std::filesystem;
  const Session session = Session::open_read_only(database_of(database));
  const auto details = session.results().find(cell);
  if (!details)
    throw Error(ErrorKind::nothing,
                fmt::format("{}: there is no cell '{}'; `nearfar status` lists them", session.name(), cell));
  if (details->outcome.scores.empty()) {
    throw Error(ErrorKind::nothing,
                fmt::format("cell '{}' ({}, {}) has no scores; only finished eval cells do", details->status.label,
                            kind_name(details->status.kind), state_name(details->status.state)));
  }
  const fs::path& base = details->location;
  // All of them are looked at before the first is written.
  for (const ScoreSetRow& row : details->outcome.scores) {
    if (const fs::path file = base / row.path; !fs::exists(file) || sha256_file(file) != row.sha256) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: is not the file that the run wrote (missing or changed); run the experiment again",
                              file.string()));
    }
  }
  for (const ScoreSetRow& row : details->outcome.scores) {
    write_file_atomic(scores / (row.set + ".npy"), read_file(base / row.path));
    fmt::print("{}  {} scores\n", (scores / (row.set + ".npy")).string(), row.count);
  }
  return 0;
}

}  // namespace nearfar
