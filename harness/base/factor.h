#pragma once
/// One thing that makes a cell what it is: "train.epochs" = 6, "loss" = "supcon", "postprocessor.k" = 50. Plain value.
#include <nearfar/params.h>

#include <string>

namespace nearfar {

/// Rows of a leaderboard are told apart by the factors that are not at their default.
struct Factor {
  std::string name = {};
  ParamValue value = {};
  bool is_default = false;  ///< at the default that identities leave out

  bool operator==(const Factor&) const = default;
};

}  // namespace nearfar
