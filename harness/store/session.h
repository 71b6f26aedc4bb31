#pragma once
/// Everything nearfar remembers, in one SQLite file or in a database of a PostgreSQL server (address.h), behind three
/// narrow interfaces: planning.h, queue.h, results.h. The parent process owns the only writing Session of a run; others
/// (more runs, reports) may have the same database open at any time. A Session is used by one thread at a time. Every
/// call that changes something is one transaction, on disk when the call returns. Failures are Error(store): the file
/// or the server, what is wrong with it, what to do. A connection to a server that is lost between two calls is made
/// anew, for up to half a minute; a call that it takes down is repeated as a whole, never stored twice.
#include "store/planning.h"
#include "store/queue.h"
#include "store/results.h"

#include <filesystem>
#include <functional>
#include <memory>

namespace nearfar {

class Session {
 public:
  /// For reading and writing; makes folders, file and schema if needed. A file of an older schema is copied beside
  /// itself (FILE.v1.backup, .2, … : never over another) and then migrated in one transaction. Refuses a file that is
  /// not ours, newer or damaged, and a file system on which processes cannot share a database. On a server the schema
  /// `nearfar` of the named database is made or migrated; its backup is the server's.
  static Session open(const std::filesystem::path& database);
  /// For reading, also in a folder that cannot be written; refuses a database that is not there. A file of an older
  /// schema is migrated in memory and stays as it is; on a server it is refused.
  static Session open_read_only(const std::filesystem::path& database);
  /// False: there is nothing yet that could be read.
  static bool exists(const std::filesystem::path& database);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// For messages: the file, or "postgresql://user@host/name", never a password.
  std::string name() const;
  /// Runs `work` once, as one transaction in which nobody else writes from its beginning to its end; an exception
  /// undoes all of it. Every call of this Session may be part of it; a call that throws undoes itself alone.
  void in_transaction(const std::function<void()>& work);
  /// The same for next_ready() and claims, while other workers on a server claim other groups. `work` may be called
  /// again, after everything that it stored has been undone: what it fills in it empties first.
  void while_claiming(const std::function<void()>& work);

  PlanStore& planning();
  QueueStore& queue();
  const ResultStore& results() const;

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nearfar
