#include "plan/model_names.h"

#include "base/text.h"
#include "plan/weights_files.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

namespace nearfar {
namespace {

using Group = std::vector<ModelPlan*>;

std::vector<std::string> names_of(const Group& group, bool with_file) {
  std::vector<std::vector<std::string>> parts;
  for (const ModelPlan* model : group) {
    parts.push_back(telling_parts(model->file));
    const std::string file = model->file.filename().string();
    if (with_file && parts.back().back() != file) parts.back().push_back(file);
  }
  return short_names(parts);
}

void name_the_nameless(std::vector<ModelPlan>& models) {
  Group nameless;
  for (ModelPlan& model : models) {
    if (model.training.empty()) nameless.push_back(&model);
  }
  const std::vector<std::string> names = names_of(nameless, false);
  for (std::size_t i = 0; i < nameless.size(); ++i) nameless[i]->training = names[i];
}

/// Models of one row: they are replicates by their seeds, unless two have the same.
std::map<std::vector<std::string>, Group> rows(std::vector<ModelPlan>& models) {
  std::map<std::vector<std::string>, Group> rows;
  for (ModelPlan& model : models)
    rows[{model.training, model.training_params, model.architecture, model.head}].push_back(&model);
  return rows;
}

void tell_apart(std::vector<ModelPlan>& models, bool with_file) {
  for (auto& [row, group] : rows(models)) {
    std::set<std::int64_t> seeds;
    for (const ModelPlan* model : group) seeds.insert(model->seed);
    if (seeds.size() == group.size()) continue;
    const std::vector<std::string> names = names_of(group, with_file);
    // ';' parts parameters, '=' their names.
    for (std::size_t i = 0; i < group.size(); ++i)
      group[i]->training_params = "file=" + replace_all(names[i], ";", " ");
  }
}

}  // namespace

std::string shown_name(const ForeignModel& entry) {
  if (!entry.label.empty()) return entry.label;
  return entry.training == "unknown" ? "" : entry.training;
}

void name_models(std::vector<ModelPlan>& models) {
  name_the_nameless(models);
  tell_apart(models, false);
  tell_apart(models, true);  // two files of one folder
  for (ModelPlan& model : models) {
    const std::string more = model.training_params.empty() ? "" : fmt::format(" ({})", model.training_params.substr(5));
    model.label = fmt::format("{}{}/{}/s{}", model.training, more, model.architecture, model.seed);
  }
}

}  // namespace nearfar
