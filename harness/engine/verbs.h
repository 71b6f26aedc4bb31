#pragma once
/// One function per verb of nearfar-engine. Each gets its job, sends its messages and throws Error for what concerns
/// the whole job.
#include "wire/bench.h"
#include "wire/jobs.h"

namespace nearfar {

/// Every plugin on the search path, and traits of losses → wire::Inspection.
void inspect(const wire::InspectJob& job);
/// The architectures there are → [wire::ModelFacts], with 10 classes.
void models(const wire::Nothing& job);
/// `nearfar score`: a postprocessor on a feature folder → a score file and wire::ScoreFacts.
void score(const wire::ScoreJob& job);
/// A loss plugin on one batch, for tests → its gradients as files and wire::LossFacts.
void loss(const wire::LossJob& job);
/// What a weights file holds → wire::WeightsFacts.
void weights(const wire::WeightsJob& job);
/// `nearfar import`: the same, and the network is written as our checkpoint.
void import_file(const wire::WeightsJob& job);
/// What a network is that Python made, and whether it computes what Python computed → wire::NetworkFacts.
void network(const wire::NetworkJob& job);
/// One train cell: checkpoints, validation accuracy.
void train_cell(const wire::TrainJob& job);
/// One model's cells: one pass per image set, the accuracy of its classifier, then every postprocessor.
void eval_group(const wire::EvalJob& job);
/// What LibTorch and CUDA say of this machine → wire::DoctorFacts.
void doctor(const wire::Nothing& job);
/// Two plugins timed in turn on inputs of one size → wire::BenchFacts.
void bench(const wire::BenchJob& job);

}  // namespace nearfar
