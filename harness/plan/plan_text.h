#pragma once
/// A plan for people and for programs. Pure functions.
#include "plan/plan.h"

#include <string>

namespace nearfar {

/// A table of the cells with why each runs (features cells of a model in one line; beyond 500 lines counts by kind and
/// reason), and what each model's network has to look at.
std::string plan_text(const Plan& plan, bool cells = false);
/// One JSON document: every cell.
std::string plan_json(const Plan& plan);

}  // namespace nearfar
