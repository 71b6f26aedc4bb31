#pragma once
/// What starts workers on other machines: the words of a `nearfar worker`, and what a worker reads of the environment
/// that it is started in. Text in, text out; knows no database and starts nothing. Safe from any thread.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// `nearfar worker` as it is to run elsewhere: paths absolute, nothing left to the working folder.
struct WorkerCommand {
  std::filesystem::path program = {};   ///< of nearfar, as the other machine finds it
  std::string database = {};            ///< a file
  std::string experiment = {};          ///< its name
  std::filesystem::path profile = {};   ///< --profile; empty = none
  std::string device = {};              ///< --device; "" = the experiment's
  std::int64_t jobs = 0;                ///< -j; 0 = as many as the worker finds right
  std::vector<std::string> extra = {};  ///< more words
};
/// With --rank-from-env; without -j where `jobs` is 0.
std::vector<std::string> worker_words(const WorkerCommand& command);

/// One word for a POSIX shell: as it is where that is safe, else in single quotes.
std::string shell_word(std::string_view word);
std::string shell_line(const std::vector<std::string>& words);

/// A worker's number, from 0, as MPI, Slurm, Kubernetes or torchrun give it to the processes that they start. nullopt
/// outside of all of them. Error(config) for one that is no number.
std::optional<std::int64_t> worker_number(const std::function<const char*(const char* name)>& environment);

/// Seconds of "90s", "30m", "2h", "1h30m", "1d" or "2:00:00" (Slurm's [hours:]minutes:seconds). Error(config) for
/// anything else and for 0.
double duration_seconds(std::string_view text);

}  // namespace nearfar
