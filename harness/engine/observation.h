#pragma once
/// The plan of needs of a group of eval cells: which image set has to pass through the network, what is kept of it
/// besides features and logits for the cells that look inside, and in which order: train, then what is fitted on it,
/// validation, parameter searches, and last the scored sets, which are looked at with the chosen parameters only.
#include "engine/model.h"
#include "engine/scoring.h"
#include "host/call.h"
#include "host/grid.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// One eval cell of a job.
struct GroupCell {
  GroupCell(const nlohmann::json& job_cell, LoadedPlugin loaded);

  const nlohmann::json& job;
  LoadedPlugin plugin;
  ParamMap fixed;  ///< parameters that are not searched
  ParamGrid grid;
  ParamMap params;            ///< complete once chosen: `fixed` where nothing is searched
  bool chosen = false;        ///< a search is over, or there is none
  bool failed = false;        ///< its failure has been told
  nlohmann::json found = {};  ///< what a search adds to the cell's message

  bool observing() const { return observes(plugin.needs()); }
};

class Observation {
 public:
  /// `failed` tells the parent of a cell that cannot go on. `search` chooses a cell's parameters. `begin` names the
  /// cell that works now; nullptr: none in particular.
  struct Calls {
    std::function<void(GroupCell&, const std::exception_ptr&)> failed;
    std::function<void(GroupCell&)> search;
    std::function<void(const GroupCell*)> begin;
  };
  Observation(ModelFeatures& features, std::vector<PlannedSet> fit_sets, std::vector<PlannedSet> score_sets,
              std::vector<GroupCell>& cells, Calls calls);

  ~Observation();
  Observation(const Observation&) = delete;
  Observation& operator=(const Observation&) = delete;

  /// Features of every set and columns of every observing cell: after it the network is not needed any more.
  void run();

  /// The columns of a cell with complete parameters.
  Columns columns(const GroupCell& cell, const ParamMap& params) const;

  /// The postprocessor of a cell with its chosen parameters where run() had to fit it, and the seconds of that; nothing
  /// for the others, which are fitted where they are scored. Given once.
  struct Fitted {
    PostprocessorHandle handle;
    double seconds = 0;
  };
  std::optional<Fitted> take_fitted(const GroupCell& cell);

 private:
  struct Point;
  void make_points();
  void fit_points(bool with_validation);
  void pass(const PlannedSet& set);
  std::vector<Observer> observers(const PlannedSet& set);
  Observer observer(Point& point, bool fitted);
  std::string key(const GroupCell& cell, const ParamMap& params, bool fitted) const;
  void guarded(GroupCell& cell, const std::function<void()>& body);

  ModelFeatures& features_;
  std::vector<PlannedSet> fit_sets_, score_sets_;
  std::vector<GroupCell>& cells_;
  Calls calls_;
  std::vector<std::unique_ptr<Point>> points_;
};

}  // namespace nearfar
