#pragma once
/// The checkpoint files of a training, so that a kill at any moment, also within a save, costs only the steps since the
/// save before, and a damaged file only those since the one before that.
///
/// last.safetensors (training goes on from it) and the ones before it, last.1 …; best.safetensors (what is evaluated),
/// and those before it, best.1 …; best.next, a best epoch that no `last` knows yet. A `last` names its best by hash.
#include "models/checkpoint.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace nearfar {

/// Not thread-safe. One training at a time uses a folder.
class TrainingFolder {
 public:
  /// `keep`: how many of `last` and of `best` there are at most, 1 or more.
  TrainingFolder(std::filesystem::path folder, std::int64_t keep) : folder_(std::move(folder)), keep_(keep) {}

  /// The newest `last` that is whole, of this identity and network, fits (`take` throws Error(data) for one that does
  /// not, with nothing changed), and whose best is there; it is `last` from then on, and its best is `best`. What was
  /// passed over is said in the log, and if nothing is left, that training starts over: nothing is deleted then. True:
  /// `take` took one.
  bool resume(const std::string& identity, const NetworkSpec& spec,
              const std::function<void(Checkpoint, const std::string& file)>& take);

  /// A best epoch, as best.next until a `last` that knows it is written. Returns the file's SHA-256.
  std::string write_best(const Checkpoint& checkpoint) const;
  /// `checkpoint.best_sha256` is that of best or of best.next.
  void write_last(const Checkpoint& checkpoint) const;

  /// Nothing goes on from here: what is older than `last` and `best` is removed.
  void finish() const;

 private:
  std::filesystem::path kept(const std::filesystem::path& newest, std::int64_t back) const;
  void keep_one_more(const std::filesystem::path& newest) const;
  std::optional<std::filesystem::path> find_best(const std::string& sha256) const;
  std::string reason_against(const Checkpoint& saved, const std::filesystem::path& file, const std::string& identity,
                             const NetworkSpec& spec) const;
  void promote_best(const std::string& sha256) const;

  std::filesystem::path folder_;
  std::int64_t keep_;
};

}  // namespace nearfar
