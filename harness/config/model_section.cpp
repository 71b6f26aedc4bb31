#include "config/model_section.h"

#include "base/text.h"
#include "config/document.h"

#include <fmt/format.h>

namespace nearfar {
namespace {

/// `checkpoint` is one path or a list of them.
std::vector<NamedAt> read_checkpoints(Section& section) {
  const Value* value = section.find("checkpoint");
  if (!value) return {};
  if (!value->list()) {
    std::filesystem::path path;
    section.read("checkpoint", path);
    if (path.empty()) return {};
    return {{path.string(), value->where}};
  }
  std::vector<std::string> paths;
  section.read("checkpoint", paths);
  if (paths.empty()) fail_at(value->where, "'checkpoint' is an empty list; name at least one weights file");
  std::vector<NamedAt> files;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string& where = (*value->list())[i].where;
    if (paths[i].empty()) fail_at(where, "a path in 'checkpoint' is empty");
    files.push_back({paths[i], where});
  }
  return files;
}

/// `[model]` without weights or features says what is trained.
void read_model(const Value& value, const std::string& title, Experiment& experiment) {
  Section section(&value, title);
  ForeignModel model;
  model.where = value.where;
  const std::vector<NamedAt> checkpoints = read_checkpoints(section);
  if (!checkpoints.empty()) model.checkpoint = checkpoints.front().name;
  section.read("features", model.features);
  section.read("file", model.file);
  section.read("torchscript", model.torchscript);
  section.read("feature_node", model.feature_node);
  section.read("map_nodes", model.map_nodes);
  section.read("name", model.architecture);
  const bool has_training = section.read("training", model.training);
  const bool has_label = section.read("label", model.label);
  std::int64_t seed = 0;
  if (section.read("seed", seed, 0)) model.seed = seed;
  section.finish();
  std::vector<const char*> sources;
  for (const auto& [key, path] : {std::pair{"checkpoint", &model.checkpoint},
                                  {"features", &model.features},
                                  {"file", &model.file},
                                  {"torchscript", &model.torchscript}}) {
    if (!path->empty()) sources.push_back(key);
  }
  if (sources.size() > 1)
    fail_at(section.where(sources[1]),
            fmt::format("{} has both '{}' and '{}'; keep one", title, sources[0], sources[1]));
  if (model.file.empty() && !(model.feature_node.empty() && model.map_nodes.empty())) {
    fail_at(section.where(model.feature_node.empty() ? "map_nodes" : "feature_node"),
            fmt::format("{} names nodes, which only an exported network has: 'file' (a .pt2)", title));
  }
  if (sources.empty()) {
    if (has_training || has_label || model.seed || title == "[[model]]") {
      fail_at(value.where,
              fmt::format("{} needs 'checkpoint' (a weights file), 'features' (a feature folder), 'file' (a "
                          "network exported to .pt2) or 'torchscript'",
                          title));
    }
    return;  // its name is in `models` (overrides.h)
  }
  model.where = section.where(sources[0]);
  if (has_training) model.training = plugin_key(model.training);
  if (model.training.empty())
    fail_at(section.where("training"), "'training' is empty; leave it out if you do not know");
  model.label = std::string(trim(model.label));
  if (has_label && (model.label.empty() || model.label.find_first_of("\n\r\t") != std::string::npos))
    fail_at(section.where("label"), "'label' is a name on one line, not empty; leave it out for the file's own name");
  if (checkpoints.empty()) experiment.foreign.push_back(std::move(model));
  for (const NamedAt& one : checkpoints) {
    experiment.foreign.push_back(model);
    experiment.foreign.back().checkpoint = one.name;
    experiment.foreign.back().where = one.where;
  }
}

}  // namespace

void read_models(Section& top, Experiment& experiment) {
  const Value* value = top.find("model");
  if (!value) return;
  if (value->table()) {
    read_model(*value, "[model]", experiment);
  } else if (value->list()) {
    for (const Value& entry : *value->list()) {
      if (!entry.table())
        fail_at(entry.where, fmt::format("'model' is a table or a list of tables, found {}", type_name(entry)));
      read_model(entry, "[[model]]", experiment);
    }
  } else {
    fail_at(value->where, fmt::format("'model' is a table or a list of tables, found {}; did you mean model.name?",
                                      type_name(*value)));
  }
}

}  // namespace nearfar
