#pragma once
/// Second stage of a plan: postprocessors with complete parameters and the grids that are searched. Pure but for files
/// that parameters name.
#include "plan/plan.h"

namespace nearfar {

/// One for each choice. Error(config) at file:line for parameters and grids that the plugin's
/// table does not take.
std::vector<PostprocessorPlan> plan_postprocessors(const std::vector<PostprocessorChoice>& choices,
                                                   const Catalog& catalog);

/// "configs/x.toml:14: loss 'supcon'", from the first parameter's place where there is one; for messages about
/// parameters.
std::string param_place(const std::string& where, const ParamWhere& params, std::string_view kind,
                        std::string_view name);

}  // namespace nearfar
