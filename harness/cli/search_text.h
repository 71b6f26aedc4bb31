#pragma once
/// What `run` and `plan` say of a search by successive halving. Pure functions.
#include "base/factor.h"
#include "config/halving.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

struct TrainingState {
  std::string key;
  std::int64_t seed = 0;
  std::string state;            ///< "ok", "nan", …
  std::optional<double> value;  ///< of its last epoch, a fraction
};

/// One point in one round.
struct TrialState {
  std::size_t point = 0;  ///< of the sweep
  std::vector<Factor> settings = {};
  std::vector<TrainingState> trainings = {};
  bool failed = false;               ///< a training of it has no value
  std::optional<double> value = {};  ///< the mean of its trainings; none: failed
};

/// A round that is over.
struct RoundState {
  std::size_t number = 0;  ///< from 1
  std::int64_t epochs = 0;
  std::vector<TrialState> trials = {};
  std::vector<std::size_t> going = {};  ///< places in `trials`, the best first; of the last round all that have a value
};

struct SearchState {
  std::string measure;               ///< Halving::by
  std::vector<HalvingRound> rounds;  ///< as planned
  std::int64_t full_epochs = 0;
  std::vector<RoundState> done;
  std::int64_t trainings = 1;  ///< of the first trial: others have as many, unless an axis says otherwise
  std::size_t standing = 0;    ///< the number of the round that is next; one more than there are: the evaluations
  std::int64_t ran = 0, failed = 0, skipped = 0, done_before = 0;  ///< cells of all rounds and of the end
  double seconds = 0;                                              ///< of running them
};

/// For `plan`: rounds with their trials and epochs, what they come to, and where the search stands.
std::string rounds_text(const SearchState& state);
/// The last round that is over: who goes on, with which values.
std::vector<std::string> round_lines(const SearchState& state);
/// For the end of `run`: those that are left after the last round, the best first; and what all rounds took.
std::string survivors_text(const SearchState& state);
nlohmann::json search_json(const SearchState& state);

}  // namespace nearfar
