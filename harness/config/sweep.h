#pragma once
/// [sweep] of an experiment: axes over its keys, expanded into points before anything is planned. What comes after
/// knows nothing of axes: a point is an experiment like any other.
///
// clang-format off
///   [sweep]
///   mode = "grid"        # every combination; "ablation": the experiment as it is, and one change at a time; "zip": the
///                        # first values, the second ones, …; "random": `samples` combinations, by `seed`; "list": the
///                        # points that are written down, each with every combination of the axes, if there are some
///   [sweep.axes]
///   "train.lr" = [0.05, 0.1]
///   "train.epochs" = { range = [50, 150], step = 50 }
///   "train.weight_decay" = { between = [1e-5, 1e-3], log = true }              # mode = "random" only
///   "loss.reweightood.tau" = { values = [0.1, 0.2], when = 'losses == "reweightood"' }
///   [[sweep.points]]     # mode = "list"
///   benchmark = "cifar10"
///   recipe = "openood-cifar"
///   [[sweep.exclude]]    # points that have all of these; a list means any of its values; `when` is a condition
///   losses = "ce"
///   "train.lr" = 0.05
///   [sweep.halving]      # the points are trials of a search: config/halving.h
// clang-format on
///
/// Where a condition or an exclusion names losses, models, benchmarks or postprocessors, and the experiment lists
/// several of them, that list is an axis of its own ("grid" and "list").
///
/// An axis may be any key that can change a result: benchmark, model.name, losses, recipe, tune, train.*, loss.*,
/// postprocessor.*; not paths, devices, data.* or run.*. `recipe` names a file: NAME.toml of ../recipes beside the
/// experiment or of the installation, or a path, composed as if the experiment extended it last.
/// All errors are Error(config) with file:line:column. Plain values, safe from any thread.
#include "config/axis.h"
#include "config/condition.h"
#include "config/document.h"
#include "config/halving.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct Setting {
  std::string key;  ///< "train.lr", "benchmarks": as overrides spell it
  Value value;
};

/// What one point sets, axes in alphabetical order. Empty: the experiment as it is.
using Settings = std::vector<Setting>;

class Sweep {
 public:
  /// Takes [sweep] out of a composed document, all but the replicates; nullopt: it has none.
  static std::optional<Sweep> take(Value& document);

  const std::string& mode() const { return mode_; }
  const std::optional<Halving>& halving() const { return halving_; }
  /// Points before conditions and exclusions, as many as they are.
  double combinations() const;
  /// No two the same. `document` is what take() left. Never makes more than `most` points, whatever the axes: more are
  /// an error that says how many there would be, and what `most` stands for (`limit_text`).
  std::vector<Settings> points(const Value& document, std::int64_t most, std::string_view limit_text);
  /// By [[sweep.exclude]] in the last points(), in its order: where it is written and how many it left out.
  const std::vector<std::pair<std::string, std::int64_t>>& excluded() const { return excluded_; }

 private:
  struct Axis : AxisValues {
    std::string key;
    std::optional<Condition> when = {};
  };
  struct Exclusion {
    std::vector<Setting> all = {};  ///< a list: any of its values
    std::optional<Condition> when = {};
    std::string where = {};
  };
  class Expansion;

  void read_axes(const Value& table);
  void read_points(const Value& list);
  void read_exclusions(const Value& list);
  void check_shape(const std::string& where);
  void check_halving() const;
  void split_lists(const Value& document);

  std::string mode_ = "grid", where_;
  std::int64_t samples_ = 0, seed_ = 0;
  std::vector<Axis> axes_;
  std::vector<Settings> listed_;
  std::vector<Exclusion> exclusions_;
  std::optional<Halving> halving_;
  std::vector<std::pair<std::string, std::int64_t>> excluded_;
};

/// Sets a key of a document to what a point says. `recipe` is left alone: the caller composes it.
void apply_setting(Value& document, const Setting& setting);

/// "k=v;k=v" of settings, for comparing and for people: "losses=supcon;train.lr=0.05".
std::string settings_text(const Settings& settings);

/// A key as overrides spell it; the network that is trained by its own: "models".
std::string axis_path(const std::string& key, const std::string& where);

/// May this key be an axis? "" or why not.
std::string axis_problem(std::string_view key);

}  // namespace nearfar
