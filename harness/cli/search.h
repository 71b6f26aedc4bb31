#pragma once
/// `run` and `plan` of an experiment with [sweep.halving] (config/halving.h): its rounds one after the other, each an
/// experiment like any other, then the evaluations of what is left. Nothing is kept of a search but its cells: whatever
/// is done is found done, so the same command goes on where it stopped.
#include "cli/verbs.h"
#include "config/experiment.h"

namespace nearfar {

/// Exit codes as run_verb(). Error(nothing) where every trial of a round has failed; Error(config) for -k and
/// --last-failed, and where halving.by cannot be measured.
int run_search(const RunArguments& arguments, Experiment experiment);

/// Prints the rounds, and the plan of the round where the search stands. Writes nothing.
int plan_search(const RunArguments& arguments, Experiment experiment);

}  // namespace nearfar
