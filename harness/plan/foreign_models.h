#pragma once
/// Third stage of a plan, for models that were made elsewhere: weights files and feature folders.
#include "plan/plan.h"

namespace nearfar {

/// One model for each file that an entry of the experiment means (weights_files.h), on each benchmark. Complete but for
/// the benchmark's flags. Error(data): file missing, unreadable or of other classes than the benchmark; Error(config):
/// the same weights twice, or weights and features in one experiment.
std::vector<ModelPlan> foreign_models(const Plan& plan, const AskEngine& ask, bool trust);

/// One of them that is a whole network: exported, or TorchScript, which is Error(config) without `trust`. What the file
/// is, the engine says; where outputs of Python lie beside the file, they are compared (reference_files()): Error(data)
/// if they differ by more than kReferenceTolerance.
ModelPlan network_model(const Plan& plan, std::size_t benchmark, const ForeignModel& entry, const AskEngine& ask,
                        bool trust);

/// One of them from a feature folder; without a label.
ModelPlan feature_model(const Plan& plan, std::size_t benchmark, const ForeignModel& entry);

/// The image sets of a plan on feature folders: those of the folders, with the benchmark's groups and expected counts;
/// no image is looked at. All folders must hold the same sets with the same labels. Errors as read_manifest.
Manifest feature_manifest(const Experiment& experiment, const Benchmark& benchmark);

/// "class-mismatch" where a model has other classes than the benchmark and data.allow_count_mismatch lets it pass.
std::string check_classes(const Plan& plan, std::size_t benchmark, const std::filesystem::path& file,
                          std::int64_t classes);

}  // namespace nearfar
