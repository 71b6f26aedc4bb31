#pragma once
/// Questions to an engine: one child, one answer. Real processes; from the main thread (child.h).
#include "plan/catalog.h"
#include "wire/facts.h"
#include "wire/jobs.h"

#include <string>

namespace nearfar {

/// Runs a verb to its end and returns the document of its one "result" message. An "error" message is thrown as the
/// Error it describes; a crash is Error(internal) with the signal.
wire::Json ask_engine(const std::string& verb, const wire::Json& job, int threads = 1);

/// For make_plan().
AskEngine engine_asker();

/// `nearfar score`, `import`, `export-check`, `doctor`, `list models`.
wire::ScoreFacts engine_score(const wire::ScoreJob& job);
wire::WeightsFacts engine_import(const wire::WeightsJob& job);
wire::NetworkFacts engine_network(const wire::NetworkJob& job, int threads);
wire::DoctorFacts engine_doctor();
std::vector<wire::ModelFacts> engine_models();

}  // namespace nearfar
