#include "config/experiment.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "config/document.h"
#include "config/overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace nearfar {
namespace {

constexpr std::int64_t kMillion = 1'000'000;

TrainRecipe read_recipe(const Value* table, const std::string& name, TrainRecipe recipe) {
  Section section(table, name);
  section.read("epochs", recipe.epochs, 1, kMillion);
  section.read("batch_size", recipe.batch_size, 1, kMillion);
  section.read("lr", recipe.learning_rate, 0, 1e6);
  section.read("momentum", recipe.momentum, 0, 1);
  section.read("weight_decay", recipe.weight_decay, 0, 1e6);
  section.read("nesterov", recipe.nesterov);
  section.read("warmup_fraction", recipe.warmup_fraction, 0, 1);
  section.read("final_lr", recipe.final_lr, 0, 1e6);
  section.read("shift", recipe.shift, 0, 4096);
  section.read("flip", recipe.flip);
  section.read("projection", recipe.projection, {"mlp", "linear"});
  section.read("embedding_dim", recipe.embedding_dim, 1, kMillion);
  section.read("checkpoint_every_epochs", recipe.checkpoint_every_epochs, 0, kMillion);
  section.finish();
  if (recipe.warmup_fraction >= 1) {
    fail_at(section.where("warmup_fraction"),
            fmt::format("'warmup_fraction' in {} must be below 1: the cosine needs steps of its own", name));
  }
  if (recipe.nesterov && recipe.momentum == 0) {
    fail_at(section.where("nesterov"), fmt::format("'nesterov' in {} needs a momentum above 0", name));
  }
  return recipe;
}

struct PluginSection {
  ParamMap params;
  ParamWhere where;
};

/// Everything of a plugin's section but `train` is a parameter; its names and ranges are checked against the plugin's table at plan time.
PluginSection read_plugin(const Value* table, const std::string& name, bool may_train) {
  PluginSection plugin;
  if (!table) return plugin;
  if (!table->table()) fail_at(table->where, fmt::format("{} is a table of parameters, found {}", name, type_name(*table)));
  for (const auto& [key, value] : *table->table()) {
    if (may_train && key == "train") continue;
    std::visit(
        [&](const auto& held) {
          using T = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<T, Value::List> || std::is_same_v<T, Value::Table>) {
            fail_at(value.where,
                    fmt::format("'{}' in {}: a parameter is a boolean, a number or text, found {}", key, name, type_name(value)));
          } else {
            plugin.params.emplace(key, held);
          }
        },
        value.data);
    plugin.where.emplace(key, value.where);
  }
  return plugin;
}

/// The section [KIND.NAME], or nullptr.
const Value* plugin_section(const Value* kind, const std::string& name) {
  if (!kind) return nullptr;
  const auto found = kind->table()->find(name);
  return found == kind->table()->end() ? nullptr : &found->second;
}

struct NamedAt {
  std::string name, where;
};

/// Names in a list, as keys, none twice.
std::vector<NamedAt> read_names(Section& top, std::string_view key) {
  std::vector<std::string> names;
  if (!top.read(key, names)) return {};
  const Value* value = top.find(key);
  std::vector<NamedAt> result;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string where = value->list() ? (*value->list())[i].where : value->where;
    const std::string name = plugin_key(names[i]);
    if (name.empty()) fail_at(where, fmt::format("a name in '{}' is empty", key));
    if (!seen.insert(name).second) fail_at(where, fmt::format("'{}' stands twice in '{}'", name, key));
    result.push_back({name, where});
  }
  return result;
}

void read_losses(Section& top, Experiment& experiment) {
  const Value* sections = top.find_table("loss");
  for (const NamedAt& named : read_names(top, "losses")) {
    const Value* section = plugin_section(sections, named.name);
    const std::string title = fmt::format("[loss.{}]", named.name);
    PluginSection plugin = read_plugin(section, title, true);
    const Value* train = section ? Section(section, title).find_table("train") : nullptr;
    experiment.losses.push_back({.name = named.name,
                                 .params = std::move(plugin.params),
                                 .param_where = std::move(plugin.where),
                                 .recipe = read_recipe(train, fmt::format("[loss.{}.train]", named.name), experiment.train),
                                 .where = named.where});
  }
  if (!sections) return;
  for (const auto& [name, section] : *sections->table()) {  // settings that wait for their loss to be listed are checked too
    const std::string title = fmt::format("[loss.{}]", name);
    read_plugin(&section, title, true);
    read_recipe(Section(&section, title).find_table("train"), fmt::format("[loss.{}.train]", name), experiment.train);
  }
}

void read_postprocessors(Section& top, Experiment& experiment) {
  const Value* sections = top.find_table("postprocessor");
  for (const NamedAt& named : read_names(top, "postprocessors")) {
    PluginSection plugin = read_plugin(plugin_section(sections, named.name), fmt::format("[postprocessor.{}]", named.name), false);
    experiment.postprocessors.push_back({named.name, std::move(plugin.params), std::move(plugin.where), named.where});
  }
  if (!sections) return;
  for (const auto& [name, section] : *sections->table()) read_plugin(&section, fmt::format("[postprocessor.{}]", name), false);
}

void read_seeds(Section& top, Experiment& experiment) {
  Section sweep(top.find_table("sweep"), "[sweep]");
  Section replicates(sweep.find_table("replicates"), "[sweep.replicates]");
  replicates.read("seed", experiment.seeds, 0);
  replicates.finish();
  sweep.finish();
  const std::set<std::int64_t> unique(experiment.seeds.begin(), experiment.seeds.end());
  if (experiment.seeds.empty()) fail_at(replicates.where("seed"), "'seeds' is empty; give at least one, like seeds = [0]");
  if (unique.size() != experiment.seeds.size()) fail_at(replicates.where("seed"), "a seed stands twice in 'seeds'");
}

void read_protocols(Section& top, Experiment& experiment) {
  std::vector<NamedAt> names = read_names(top, "protocols");
  const std::vector<std::string> known = {"ood", "fsood"};
  for (const NamedAt& named : names) {
    if (std::find(known.begin(), known.end(), named.name) == known.end()) {
      fail_at(named.where,
              fmt::format("unknown protocol '{}'; there are {}{}", named.name, join(known, " and "), suggestion(named.name, known)));
    }
  }
  if (!top.find("protocols")) return;
  if (names.empty()) fail_at(top.where("protocols"), "'protocols' is empty; give ood, fsood or both");
  experiment.protocols.clear();
  for (NamedAt& named : names) experiment.protocols.push_back(std::move(named.name));
}

void read_sections(Section& top, Experiment& experiment) {
  Section data(top.find_table("data"), "[data]");
  data.read("root", experiment.data_root);
  data.read("allow_count_mismatch", experiment.allow_count_mismatch);
  data.read("limit", experiment.limit, 0);
  data.finish();
  Section model(top.find_table("model"), "[model]");
  model.read("name", experiment.model);
  model.read("features", experiment.features);
  model.finish();
  Section run(top.find_table("run"), "[run]");
  run.read("jobs", experiment.jobs, 0, 4096);
  run.read("threads", experiment.threads, 1, 4096);
  run.read("timeout_seconds", experiment.timeout_seconds, 0);
  run.read("deterministic", experiment.deterministic);
  run.finish();
}

/// A name becomes a folder beneath out/ and a line of a report.
void check_name(const std::string& name, const std::string& where) {
  const bool odd = name.empty() || name.front() == '.' || name.find_first_of("/\\\n\r\t") != std::string::npos;
  if (odd)
    fail_at(where, fmt::format("'name' is '{}'; it becomes a folder, so it is not empty, begins without a dot and has no slash", name));
}

Experiment typed(const Value& document, const std::filesystem::path& last_file) {
  Experiment experiment;
  Section top(&document, "the top level");
  experiment.name = last_file.stem().string();
  top.read("name", experiment.name);
  check_name(experiment.name, top.where("name"));
  top.read("recipe", experiment.recipe);
  if (!top.read("benchmark", experiment.benchmark) || experiment.benchmark.empty()) {
    fail_at(last_file.string(),
            "no benchmark is named; add a line like benchmark = \"fashion-mnist\", or benchmark=fashion-mnist on the command line");
  }
  experiment.benchmark_where = top.where("benchmark");
  top.read("device", experiment.device, {"cpu", "cuda"});
  top.read("dtype", experiment.dtype, {"float32"});
  experiment.out = std::filesystem::path("out") / experiment.name;
  top.read("out", experiment.out);
  experiment.train = read_recipe(top.find_table("train"), "[train]", {});
  read_protocols(top, experiment);
  read_sections(top, experiment);
  read_seeds(top, experiment);
  read_losses(top, experiment);
  read_postprocessors(top, experiment);
  top.find("extends");  // taken out while composing; known here so that it is suggested
  top.find("seeds");
  top.finish();
  if (!experiment.features.empty()) experiment.losses.clear();
  return experiment;
}

}  // namespace

Experiment load_experiment(const std::vector<std::filesystem::path>& files, const std::vector<std::string>& overrides) {
  if (files.empty()) throw Error(ErrorKind::config, "no config file is given; try configs/experiments/quickstart.toml");
  Value document;
  for (const auto& file : files) merge_into(document, read_composed(file, normalise));
  for (const std::string& override_text : overrides) apply_override(document, override_text);
  Experiment experiment = typed(document, files.back());
  experiment.canonical = canonical_text(experiment);
  experiment.hash = sha256(experiment.canonical);
  return experiment;
}

}  // namespace nearfar
