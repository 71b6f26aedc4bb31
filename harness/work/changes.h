#pragma once
/// Why a cell is new: what differs from the plan that went before. Pure.
#include "plan/plan.h"
#include "store/planning.h"

#include <vector>

namespace nearfar {

/// Cells that the database does not know get a reason where the former plan of the experiment had a cell like them that
/// this plan no longer has: "config changed: train.lr 0.1 → 0.05", "plugin changed: ce 1.0.0 → 1.1.0",
/// "images changed: near/tin", "its model changed". Others stay "new", and so do those that differ in more than four
/// things. Of several like it the one that differs least counts. `former`: what PlanStore::former_cells() gives.
void tell_changes(Plan& plan, const std::vector<FormerCell>& former);

/// Is there a cell of which tell_changes() could say something?
bool has_new(const Plan& plan);

}  // namespace nearfar
