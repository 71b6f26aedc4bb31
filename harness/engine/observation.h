#pragma once
/// The plan of needs of a group of eval cells: which image set has to pass through the network, what is kept of it
/// besides features and logits for the cells that look inside, and in which order: train, then what is fitted on it,
/// validation, parameter searches, and last the scored sets, which are looked at with the chosen parameters only.
#include "engine/model_features.h"
#include "engine/scoring.h"
#include "host/call.h"
#include "host/grid.h"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace nearfar {

/// One eval cell of a job.
struct GroupCell {
  GroupCell(const wire::EvalCell& job_cell, LoadedPlugin loaded);

  const wire::EvalCell& job;
  LoadedPlugin plugin;
  ParamMap fixed;  ///< parameters that are not searched
  ParamGrid grid;
  ParamMap params;                   ///< complete once chosen: `fixed` where nothing is searched
  bool chosen = false;               ///< a search is over, or there is none
  bool ended = false;                ///< that it failed, or is not tried, has been told
  std::optional<wire::Tuned> tuned;  ///< by a search
  std::vector<wire::Artifact> artifacts;

  bool observing() const { return observes(plugin.needs()); }
  /// Does it look at this image set before it scores?
  bool fits_on(const std::string& set) const;
};

class Observation {
 public:
  struct Calls {
    /// A cell cannot go on; told once, then the cell has ended.
    std::function<void(GroupCell&, const std::exception_ptr&)> failed;
    /// An image set that the cell looks at could not be passed.
    std::function<void(GroupCell&, const std::string& set)> skipped;
    std::function<void(GroupCell&)> search;                            ///< chooses a cell's parameters
    std::function<void(const std::vector<std::string>& cells)> begin;  ///< the engine works for these from now on
    std::function<void(const wire::PassCell&, const std::string& cell, double seconds, const PassCounts&)> passed;
    std::function<void(const wire::PassCell&, const std::exception_ptr&)> pass_failed;
  };
  /// `fit_sets` and `score_sets` in any order; all references outlive it.
  Observation(ModelFeatures& features, std::vector<wire::PassCell> fit_sets, std::vector<wire::PassCell> score_sets,
              std::vector<GroupCell>& cells, Calls calls);

  ~Observation();
  Observation(const Observation&) = delete;
  Observation& operator=(const Observation&) = delete;

  /// Features of every set and columns of every observing cell: after it the network is not needed any more.
  void run();
  /// Sets that could not be passed.
  const std::set<std::string>& broken() const { return broken_; }

  /// The columns of a cell with complete parameters.
  Columns columns(const GroupCell& cell, const ParamMap& params) const;

  /// The postprocessor of a cell with its chosen parameters where run() had to fit it, and the seconds of that; nothing
  /// for the others, which are fitted where they are scored. Given once.
  struct Fitted {
    PostprocessorHandle handle;
    double seconds = 0;
  };
  std::optional<Fitted> take_fitted(const GroupCell& cell);
  /// Has it one to take?
  bool is_fitted(const GroupCell& cell) const;

 private:
  struct Point;
  void make_points();
  void fit_points(bool with_validation);
  void pass(const wire::PassCell& pass, bool again = false);
  void break_set(const wire::PassCell& pass, const std::exception_ptr& why);
  std::vector<Observer> observers(const std::string& set);
  Observer observer(Point& point, bool fitted);
  std::string key(const GroupCell& cell, const ParamMap& params, bool fitted) const;
  void guarded(GroupCell& cell, const std::function<void()>& body);
  void work_for(std::vector<std::string> cells);
  bool is_fit_set(const std::string& set) const;

  ModelFeatures& features_;
  std::vector<wire::PassCell> fit_sets_, score_sets_;
  std::vector<GroupCell>& cells_;
  Calls calls_;
  std::vector<std::unique_ptr<Point>> points_;
  std::vector<std::string> working_for_;  ///< during a pass: who is charged where no observer is
  std::set<std::string> broken_;
};

}  // namespace nearfar
