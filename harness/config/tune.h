#pragma once
/// What an experiment says about the search of a postprocessor's parameters: `tune` and, beside it, `search`.
///
// clang-format off
///   [postprocessor.knn]
///   tune = { k = [5, 50], alpha = { range = [0.1, 0.5], step = 0.1 } }   # every combination; axes as in config/axis.h
///   [postprocessor.gen]
///   search = { trials = 50, seed = 0 }                                   # so many points of it, drawn at random
///   tune = { gamma = { between = [0.01, 10], log = true }, m = [10, 100] }
///   tune = ["gamma"]                                                     # the range that the plugin declares
///   tune = "openood"                                                     # of the plugin's own grid; "none": no search
// clang-format on
///
/// Names, types and ranges of parameters are the planner's affair: it knows the plugins. Errors are Error(config) with
/// file:line:column. Plain values, safe from any thread.
#include <nearfar/params.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nearfar {

struct Value;  // config/document.h

/// What one parameter may be in a search. Without values and bounds: the range that the plugin declares for it.
struct TuneAxis {
  std::vector<ParamValue> values = {};  ///< as written, not yet checked against the plugin's table
  std::optional<std::pair<double, double>> between = {};
  bool logarithmic = false;  ///< of `between`
  bool ranged = false;       ///< the values come from a range
  std::string where = {};
};

struct RandomSearch {
  std::int64_t trials = 0;  ///< different points
  std::int64_t seed = 0;
  std::string where = {};
};

/// Which parameters are searched on ID val against ood_val; nothing else is ever looked at.
struct TuneChoice {
  enum class Mode {
    none,     ///< the parameters as they are
    openood,  ///< the plugin's own grid, if its reference searches it by default
    grid,     ///< `axes`
  };
  Mode mode = Mode::none;
  std::map<std::string, TuneAxis, std::less<>> axes = {};
  std::optional<RandomSearch> search = {};  ///< some points of those instead of every one
  std::string where = {};
};

/// `tune` of the top level: "openood" or "none".
TuneChoice read_general_tune(const Value& value);

/// `tune` and `search` of the section `title` ("[postprocessor.knn]"); nullptr where there is none. Without a `tune` of
/// its own the general one holds.
TuneChoice read_tune(const Value* tune, const Value* search, const TuneChoice& general, const std::string& title);

/// What of it can change a result, as JSON; 1 and 1.0 are the same.
nlohmann::json tune_identity(const TuneChoice& tune);

}  // namespace nearfar
