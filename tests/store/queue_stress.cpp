/// Workers that are killed at any moment, on one queue: every cell is to be done exactly once.
///
///   store_stress [--db DATABASE] [--workers 8] [--cells 2000] [--seed N]
///
/// Without --db: the server that NEARFAR_TEST_POSTGRES names, else a file of SQLite. Prints one line of figures; exit 1
/// and a line for each thing that is not as it should be.
#include "store/sample.h"
#include "store/test_database.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <random>
#include <thread>

namespace nearfar {
namespace {

struct Options {
  std::filesystem::path database = {};
  int workers = 8, cells = 2000;
  unsigned seed = std::random_device{}();
};

Options read_options(int count, char** words) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = words[i], value = words[i + 1];
    if (name == "--db") options.database = value;
    if (name == "--workers") options.workers = std::stoi(value);
    if (name == "--cells") options.cells = std::stoi(value);
    if (name == "--seed") options.seed = static_cast<unsigned>(std::stoul(value));
  }
  return options;
}

/// Three trains to a model of four evaluations: groups of one cell and of several.
std::vector<CellRecord> many_cells(int count) {
  std::vector<CellRecord> cells;
  for (int seed = 0; std::ssize(cells) < count; ++seed) {
    cells.push_back(testing::train_cell("ce", seed));
    const CellRecord train = cells.back();
    for (int k = 0; seed % 4 == 0 && k < 4 && std::ssize(cells) < count; ++k)
      cells.push_back(testing::eval_cell(train, "knn", fmt::format("k={}", k)));
  }
  return cells;
}

/// Works until nothing is left. A line "UID KEY" to `done` once a result is stored.
[[noreturn]] void work(const std::filesystem::path& database, std::int64_t experiment, int done) {
  try {
    Session session = Session::open(database);
    const Outcome outcome = testing::eval_result({0.8, 0.9, 0.94, 1}, {0.5, 0.3, 0.2, 0});
    while (session.results().waiting_count() > 0) {
      std::vector<Lease> leases;
      session.while_claiming([&] {
        leases.clear();
        if (const auto group = session.queue().next_ready(experiment, {})) {
          for (const std::string& key : group->keys) {
            if (auto lease = session.queue().claim(key, testing::context())) leases.push_back(std::move(*lease));
          }
        }
      });
      for (const Lease& lease : leases) {
        session.queue().heartbeat(testing::context().owner, 120);
        session.queue().finish(lease.run_uid, outcome);
        const std::string line = fmt::format("{} {}\n", lease.run_uid, lease.key);
        (void)!::write(done, line.data(), line.size());  // shorter than PIPE_BUF: never in pieces
      }
      if (leases.empty() && session.queue().recover_stale() == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    _exit(0);
  } catch (const std::exception& error) {
    (void)fprintf(stderr, "%s\n", error.what());
    _exit(1);
  }
}

/// The workers of a run, and what they said they had stored.
class Workers {
 public:
  Workers(const Options& options, std::int64_t experiment) : options_(options), experiment_(experiment) {
    if (::pipe(pipe_.data()) != 0) throw std::runtime_error("no pipe");
  }

  void run() {
    std::minstd_rand random(options_.seed);
    for (int i = 0; i < options_.workers; ++i) start();
    while (!running_.empty()) {
      read_for(std::chrono::milliseconds(5 + random() % 60));
      reap();
      if (running_.empty()) break;
      auto victim = running_.begin();
      std::advance(victim, static_cast<std::ptrdiff_t>(random() % running_.size()));
      ::kill(*victim, SIGKILL);
      int status = 0;
      ::waitpid(*victim, &status, 0);
      const bool killed = WIFSIGNALED(status);
      if (!killed && WEXITSTATUS(status) != 0) ++failures_;
      running_.erase(victim);
      kills_ += killed ? 1 : 0;
      if (killed) start();
    }
    ::close(pipe_[1]);
    read_for(std::chrono::milliseconds(0));
  }

  int kills() const { return kills_; }
  int failures() const { return failures_; }
  /// Lines "UID KEY".
  const std::string& said() const { return said_; }

 private:
  void start() {
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe_[0]);
      work(options_.database, experiment_, pipe_[1]);
    }
    running_.push_back(child);
  }
  void reap() {
    std::erase_if(running_, [&](pid_t child) {
      int status = 0;
      if (::waitpid(child, &status, WNOHANG) == 0) return false;
      failures_ += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
      return true;
    });
  }
  void read_for(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      pollfd ready{pipe_[0], POLLIN, 0};
      if (::poll(&ready, 1, std::max(0, static_cast<int>(left.count()))) <= 0) return;
      std::array<char, 65536> bytes{};
      const ssize_t count = ::read(pipe_[0], bytes.data(), bytes.size());
      if (count <= 0) return;
      said_.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }

  const Options& options_;
  std::int64_t experiment_;
  std::array<int, 2> pipe_{};
  std::vector<pid_t> running_;
  int kills_ = 0, failures_ = 0;
  std::string said_;
};

/// Returns the number of lines that it printed.
int complain(const std::vector<CellRecord>& cells, const ResultStore& results, const std::string& said) {
  int problems = 0;
  const auto problem = [&](const std::string& text) {
    fmt::print(stderr, "{}\n", text);
    ++problems;
  };
  std::map<std::string, std::vector<std::string>> stored;  // uids by key, as the workers were told
  for (std::size_t at = 0; at < said.size();) {
    const std::size_t blank = said.find(' ', at), end = said.find('\n', at);
    stored[said.substr(blank + 1, end - blank - 1)].push_back(said.substr(at, blank - at));
    at = end + 1;
  }
  for (const CellRecord& cell : cells) {
    const CellDetails details = results.find(cell.key).value();
    std::vector<std::string> valid;
    for (const RunStatus& run : details.runs) {
      if (run.state == CellState::ok) valid.push_back(run.uid);
      if (run.state != CellState::ok && run.state != CellState::crashed)
        problem(fmt::format("{}: a run is {}", cell.label, state_name(run.state)));
    }
    if (details.status.state != CellState::ok || valid.size() != 1)
      problem(fmt::format("{}: {}, {} valid runs", cell.label, state_name(details.status.state), valid.size()));
    if (details.outcome.metrics.size() != 8)
      problem(fmt::format("{}: {} of 8 numbers", cell.label, details.outcome.metrics.size()));
    const auto told = stored.find(cell.key);  // a worker that was killed after storing may have said nothing
    if (told != stored.end() && told->second != valid)
      problem(fmt::format("{}: what was stored is not there, or twice", cell.label));
  }
  return problems;
}

int stress(Options options) {
  std::optional<testing::TestDatabase> own;
  if (options.database.empty()) options.database = own.emplace().address();
  const std::vector<CellRecord> cells = many_cells(options.cells);
  std::int64_t experiment = 0;
  {  // no connection crosses a fork
    Session session = Session::open(options.database);
    session.planning().put_benchmark(testing::sample_benchmark());
    experiment = session.planning().put_experiment(testing::sample_experiment("stress"));
    testing::put(session, experiment, cells);
  }
  const auto start = std::chrono::steady_clock::now();
  Workers workers(options, experiment);
  workers.run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const Session session = Session::open_read_only(options.database);
  const int problems = complain(cells, session.results(), workers.said());
  std::int64_t attempts = 0;
  for (const CellStatus& cell : session.results().cells("stress")) attempts += cell.attempt;
  fmt::print("{} cells, {} workers, {} kills, {} second attempts, {} problems, {:.1f} s, {:.0f} cells/s, seed {}\n",
             cells.size(), options.workers, workers.kills(), attempts - std::ssize(cells), problems, took.count(),
             static_cast<double>(cells.size()) / took.count(), options.seed);
  if (workers.failures() > 0) fmt::print(stderr, "{} workers ended with an error\n", workers.failures());
  return problems + workers.failures() > 0 ? 1 : 0;
}

}  // namespace
}  // namespace nearfar

int main(int count, char** words) {
  try {
    return nearfar::stress(nearfar::read_options(count, words));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
