#pragma once
/// Weights that a training starts from (`start = "checkpoint"`).
#include "models/network.h"
#include "wire/jobs.h"

namespace nearfar {

/// Copies what job.initial holds into a new network: its whole backbone, and of its head what has the same names and
/// shapes; the rest keeps what it was made with. Says in the log what was taken. Error(data): another file than
/// planned, one that import_weights() refuses, or a backbone that does not fit.
void start_from_checkpoint(const wire::TrainJob& job, Network& network);

}  // namespace nearfar
