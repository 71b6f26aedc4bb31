#pragma once
/// Questions to an engine: one child, one answer. Real processes; from the main thread (child.h).
#include "plan/catalog.h"
#include "wire/bench.h"
#include "wire/facts.h"
#include "wire/jobs.h"

#include <cstdint>
#include <string>

namespace nearfar {

/// What the child may use, and whose fault it is if it dies. 0 = as much as there is.
struct AskLimits {
  int threads = 1;
  std::int64_t memory_bytes = 0;
  double seconds = 0;
  ErrorKind crash = ErrorKind::internal;  ///< plugin, where the verb does little but run a stranger's code
};

/// Runs a verb to its end and returns the document of its one "result" message. An "error" message is thrown as the
/// Error it describes; a crash is Error(limits.crash) with the signal, and so is a child that was killed because it
/// passed a limit.
wire::Json ask_engine(const std::string& verb, const wire::Json& job, const AskLimits& limits = {});

/// For make_plan().
AskEngine engine_asker();

/// `nearfar score`, `import`, `export-check`, `doctor`, `list models`.
wire::ScoreFacts engine_score(const wire::ScoreJob& job);
wire::WeightsFacts engine_import(const wire::WeightsJob& job);
wire::NetworkFacts engine_network(const wire::NetworkJob& job, int threads);
wire::DoctorFacts engine_doctor();
std::vector<wire::ModelFacts> engine_models();
/// `nearfar plugin bench`: one size, or what the plugins are.
wire::BenchFacts engine_bench(const wire::BenchJob& job, const AskLimits& limits);

}  // namespace nearfar
