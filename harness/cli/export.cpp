#include "base/error.h"
#include "base/files.h"
#include "cli/scores.h"
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
  check_scores(*details);  // all of them, before the first is written
  for (const ScoreSetRow& row : details->outcome.scores) {
    write_file_atomic(scores / (row.set + ".npy"), read_file(details->location / row.path));
    fmt::print("{}  {} scores\n", (scores / (row.set + ".npy")).string(), row.count);
  }
  return 0;
}

}  // namespace nearfar
