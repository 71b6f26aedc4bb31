#pragma once
/// Successive halving (Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943) over the points of a sweep: every
/// point is a trial; all are trained for a few epochs, a part of them, the best by a validation value, for more, and
/// so on. Here is what [sweep.halving] says, the rounds that follow from it, who goes on, and a round as an experiment
/// like any other: planning and what comes after it know nothing of rounds. Plain values, safe from any thread.
///
// clang-format off
///   [sweep.halving]
///   first_epochs = 4          # of the first round; the last one has train.epochs
///   keep = 0.33               # the part of a round's trials that goes on; default a third
///   by = "val_accuracy"       # or "ood_val_auroc": of the last epoch, on validation sets. Default: see Halving::by
// clang-format on
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

struct Experiment;
struct Value;

struct Halving {
  std::int64_t first_epochs = 1;
  double keep = 1.0 / 3;
  /// "val_accuracy": of the linear head; "ood_val_auroc": the curve of run.ood_val. "": the first where every loss has
  /// a linear head, else the second; whoever knows the losses decides.
  std::string by;
  std::string where;  ///< of the section, for messages
};

inline constexpr const char* kByAccuracy = "val_accuracy";
inline constexpr const char* kByOodVal = "ood_val_auroc";

/// Of the table [sweep.halving]. Error(config) with file:line:column.
Halving read_halving(const Value& table);
/// The table that read_halving() reads back.
Value halving_table(const Halving& halving);

/// Error(config) where the point's trainings cannot be a trial of rounds with any number of epochs: it trains nothing,
/// or its epochs, by [train] or by [loss.NAME.train] of `document`, are not `epochs`, those of the first point.
void check_trial(const Halving& halving, const Experiment& point, const Value& document, std::int64_t epochs);

/// May this key be an axis of a sweep with [sweep.halving]? "" or why not.
std::string halving_axis_problem(const std::string& key);

struct HalvingRound {
  std::int64_t trials = 0, epochs = 0;
};

/// With n = max(1, round(ln(epochs / first_epochs) / ln(1 / keep))), round i of 0 … n has
/// round(first_epochs * (epochs / first_epochs)^(i / n)) epochs; of several rounds with the same number there is one.
/// Each has round(keep * the trials of the one before) trials, at least one. A trial that is alone goes to the last
/// round at once. `epochs`, of train.epochs, are more than first_epochs.
std::vector<HalvingRound> halving_rounds(const Halving& halving, std::int64_t trials, std::int64_t epochs);

/// Trials that go on: the `most` largest values (or as many as there are), the largest first, of equal ones the earlier
/// trial first. Without a value, or with NaN, a trial does not go on.
std::vector<std::size_t> survivors(const std::vector<std::optional<double>>& values, std::int64_t most);

/// One round of a search, or what is evaluated at its end.
struct RoundChoice {
  std::vector<std::size_t> points;  ///< of the whole experiment, in their order
  std::int64_t epochs = 0;
  std::string round;  ///< "2 of 3": trainings alone, with `epochs` in their labels if these are not all; "": the end
};

/// The experiment of these points alone, with halving.by resolved. Its `composed` and `profile` are enough to load it
/// again.
Experiment round_experiment(const Experiment& whole, const RoundChoice& choice);

}  // namespace nearfar
