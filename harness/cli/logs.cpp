#include "base/error.h"
#include "cli/verbs.h"
#include "store/process.h"
#include "store/session.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

CellStatus status_of(const Session& session, const std::string& cell) {
  const auto details = session.results().find(cell);
  if (!details) {
    throw Error(ErrorKind::nothing,
                fmt::format("{}: there is no cell '{}'; `nearfar status` lists them", session.name(), cell));
  }
  return details->status;
}

bool is_at_work(const CellStatus& status) {
  return status.state == CellState::running && owner_state(status.owner) != OwnerState::dead;
}

/// Prints what has come since the last call. Not there yet: nothing has.
class Tail {
 public:
  explicit Tail(fs::path file) : file_(std::move(file)) {}
  void print() {
    std::ifstream stream(file_, std::ios::binary);
    stream.seekg(at_);
    char block[65536];
    while (stream.read(block, sizeof block), stream.gcount() > 0) {
      std::fwrite(block, 1, static_cast<std::size_t>(stream.gcount()), stdout);
      at_ += stream.gcount();
    }
    std::fflush(stdout);
  }

 private:
  fs::path file_;
  std::streamoff at_ = 0;
};

}  // namespace

int logs_verb(const DatabaseArguments& arguments, const std::string& cell, bool follow) {
  const Session session = Session::open_read_only(database_of(arguments));
  CellStatus status = status_of(session, cell);
  const std::string key = status.key;
  // A cell that waits has no log yet, or that of an earlier attempt.
  while (follow && status.state == CellState::planned) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    status = status_of(session, key);
  }
  if (status.log_file.empty() || (!follow && !fs::exists(status.log_file))) {
    throw Error(ErrorKind::nothing, status.log_file.empty()
                                        ? fmt::format("cell '{}' has no log: it is {} and has not been tried",
                                                      status.label, state_name(status.state))
                                        : fmt::format("{}: the log of '{}' is gone", status.log_file, status.label));
  }
  Tail tail(status.log_file);
  while (true) {
    // Looked at before what was written is read: nothing that came before the end is missed.
    const bool ended = !follow || !is_at_work(status_of(session, key));
    tail.print();
    if (ended) return 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

}  // namespace nearfar
