#pragma once
/// How long a plan will take, by what earlier runs took. Pure.
#include "plan/plan.h"
#include "store/results.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace nearfar {

/// Of the cells that will run. A cell takes what cells of its kind, benchmark, network and loss, set or postprocessor
/// took on a device of the same kind: of the same data, parameters and number of threads where there are such, else of
/// any that are whole (or partial) as it is. Training counts by the epoch. Models follow each other on `jobs` children;
/// the cells of one model are one child's. nullopt: nothing is to run, or of nothing that is something is known.
std::optional<Estimate> estimate(const Plan& plan, const std::vector<CostRow>& costs, std::size_t jobs);

}  // namespace nearfar
