#pragma once
/// Everything nearfar remembers, in one SQLite file, behind three narrow interfaces: planning.h, queue.h, results.h.
/// The parent process owns the only writing Session of a run; others (more runs, reports) may have the same file open
/// at any time. A Session is used by one thread at a time. Every call that changes something is one transaction, on
/// disk when the call returns. Failures are Error(store): the file, what is wrong with it, what to do.
#include "store/planning.h"
#include "store/queue.h"
#include "store/results.h"

#include <filesystem>
#include <functional>
#include <memory>

namespace nearfar {

class Session {
 public:
  /// For reading and writing; makes folders, file and schema if needed. A database of an older schema is copied beside
  /// itself (FILE.v1.backup, .2, … : never over another) and then migrated in one transaction. Refuses a file that is
  /// not ours, newer or damaged, and a file system on which processes cannot share a database.
  static Session open(const std::filesystem::path& file);
  /// For reading, also in a folder that cannot be written; refuses a file that is not there. An older schema is
  /// migrated in memory: the file stays as it is.
  static Session open_read_only(const std::filesystem::path& file);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  const std::filesystem::path& file() const;
  /// Runs `work` as one transaction that has the write lock from its beginning; an exception undoes all of it.
  /// Every call of this Session may be part of it; a call that throws undoes itself alone.
  void in_transaction(const std::function<void()>& work);

  PlanStore& planning();
  QueueStore& queue();
  const ResultStore& results() const;

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nearfar
