#pragma once
/// Private to report/: the axes of a sweep, found in its results, and the baseline. Pure functions.
#include "report/ablation.h"
#include "report/select.h"

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace nearfar {

/// Everything that a row is, by the names that axes have: "train.lr", "loss.supcon.temperature", "postprocessor.knn.k",
/// "loss", "model", "postprocessor", "recipe".
using AxisFacts = std::map<std::string, std::string>;

struct PanelRow {
  const SelectedRow* row = nullptr;
  AxisFacts facts = {};
  std::set<std::string> at_default = {};  ///< names in `facts`
  std::vector<std::size_t> levels = {};   ///< of the panel's axes
  std::size_t changes = 0;                ///< axes in which it differs from the baseline
};

struct Panel {
  const SelectedBoard* board = nullptr;
  std::string loss = {}, model = {}, postprocessor = {};
  bool of_methods = false;
  std::vector<AblationAxis> axes = {};
  std::vector<PanelRow> rows = {};  ///< baseline first, then by the number of changes, axis and value
  std::string baseline_from = {};
  std::vector<std::string> notes = {};
};

/// Panels of all boards, those too in which nothing varies. Points into `boards`. Error(config) for a baseline that is
/// not there.
std::vector<Panel> make_panels(const std::vector<SelectedBoard>& boards, const AblationRequest& request);

/// "lr" names "train.lr"; so does "loss.supcon.train.lr" where the loss is supcon. "losses", "models", "model.name" and
/// "postprocessors" are what experiments write.
bool names_fact(const std::string& key, const std::string& fact);

/// Numbers in their shortest form, names of plugins with hyphens: two texts of one value are equal then.
std::string axis_value(const std::string& text);

/// "train.lr (0.05, 0.1); loss (ce, supcon)" of all panels.
std::string axes_text(const std::vector<Panel>& panels);

}  // namespace nearfar
