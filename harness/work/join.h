#pragma once
/// A plan that the database holds already, for a worker that did not put it. Nothing is planned, or planned again: that
/// is put_plan()'s work. One thread, the Session's.
#include "work/put.h"

#include <cstdint>

namespace nearfar {

struct JoinedPlan {
  PutPlan put = {};
  std::int64_t failed_before = 0;  ///< cells that ended without a result before; left alone
};

/// `plan` was made here from the stored experiment with the id `experiment_id`. Its cells get the states that the
/// database knows; those that are planned or running there are to run. Plugins of this machine are registered.
/// Error(config): an open cell of the experiment is none of `plan`, because data, plugins or nearfar are others here;
/// the message says what differs.
JoinedPlan join_plan(Plan& plan, std::int64_t experiment_id, Session& session);

}  // namespace nearfar
