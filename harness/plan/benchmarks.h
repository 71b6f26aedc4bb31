#pragma once
/// First stage of a plan: its benchmarks, their options, and after the models are known the manifests of the sets that
/// are needed.
#include "plan/plan.h"

namespace nearfar {

/// Benchmark, options and protocols of every name; no image is looked at. Error(config) for unknown names.
std::vector<BenchmarkPlan> open_benchmarks(const PlanRequest& request, const std::vector<NamedAt>& names);

/// Fills in manifest, scored sets and flags from the images, for the sets that the plan's models and postprocessors
/// need. `reading` as LoadOptions::reading; may be empty.
void read_images(const Plan& plan, std::size_t benchmark, const ReadingProgress& reading, BenchmarkPlan& into);

/// The same from a manifest that is there already (feature folders).
void use_manifest(const Experiment& experiment, Manifest manifest, BenchmarkPlan& into);

}  // namespace nearfar
