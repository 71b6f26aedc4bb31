#include "config/experiment.h"

#include "base/error.h"
#include "base/text.h"
#include "config/document.h"
#include "config/model_section.h"
#include "config/typed_experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <set>

namespace nearfar {
namespace {

struct PluginSection {
  ParamMap params;
  ParamWhere where;
};

/// Everything of a plugin's section but what is reserved is a parameter; its names and ranges are checked against the
/// plugin's table at plan time.
PluginSection read_plugin(const Value* table, const std::string& name,
                          std::initializer_list<std::string_view> reserved) {
  PluginSection plugin;
  if (!table) return plugin;
  if (!table->table())
    fail_at(table->where, fmt::format("{} is a table of parameters, found {}", name, type_name(*table)));
  for (const auto& entry : *table->table()) {
    const std::string& key = entry.first;
    const Value& value = entry.second;
    if (std::find(reserved.begin(), reserved.end(), key) != reserved.end()) continue;
    std::visit(
        [&](const auto& held) {
          using T = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<T, Value::List> || std::is_same_v<T, Value::Table>) {
            fail_at(value.where, fmt::format("'{}' in {}: a parameter is a boolean, a number or text, found {}", key,
                                             name, type_name(value)));
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

struct WantedAt {
  WantedPlugin plugin;
  std::string where;
};

/// Plugins in a list; one name may stand there with several requirements, nothing twice.
std::vector<WantedAt> read_wanted(Section& top, std::string_view key) {
  std::vector<std::string> names;
  if (!top.read(key, names)) return {};
  const Value* value = top.find(key);
  std::vector<WantedAt> result;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string where = value->list() ? (*value->list())[i].where : value->where;
    WantedPlugin wanted;
    try {
      wanted = wanted_plugin(names[i]);
    } catch (const Error& error) {
      fail_at(where, error.what());
    }
    if (wanted.name.empty()) fail_at(where, fmt::format("a name in '{}' is empty", key));
    if (!seen.insert(wanted.text()).second)
      fail_at(where, fmt::format("'{}' stands twice in '{}'", wanted.text(), key));
    result.push_back({std::move(wanted), where});
  }
  return result;
}

void read_losses(Section& top, Experiment& experiment) {
  const Value* sections = top.find_table("loss");
  for (const WantedAt& wanted : read_wanted(top, "losses")) {
    const std::string& name = wanted.plugin.name;
    const Value* section = plugin_section(sections, name);
    const std::string title = fmt::format("[loss.{}]", name);
    PluginSection plugin = read_plugin(section, title, {"train"});
    const Value* train = section ? Section(section, title).find_table("train") : nullptr;
    experiment.losses.push_back({.name = name,
                                 .params = std::move(plugin.params),
                                 .param_where = std::move(plugin.where),
                                 .recipe = read_recipe(train, fmt::format("[loss.{}.train]", name), experiment.train),
                                 .where = wanted.where,
                                 .requirement = wanted.plugin.requirement});
  }
  if (!sections) return;
  for (const auto& [name, section] :
       *sections->table()) {  // settings that wait for their loss to be listed are checked too
    const std::string title = fmt::format("[loss.{}]", name);
    read_plugin(&section, title, {"train"});
    read_recipe(Section(&section, title).find_table("train"), fmt::format("[loss.{}.train]", name), experiment.train);
  }
}

void read_postprocessors(Section& top, Experiment& experiment) {
  const Value* sections = top.find_table("postprocessor");
  const Value* general = top.find("tune");
  const TuneChoice everywhere = general ? read_general_tune(*general) : TuneChoice{};
  const auto read_one = [&](const Value* table, const std::string& name) {
    const std::string title = fmt::format("[postprocessor.{}]", name);
    PluginSection plugin = read_plugin(table, title, {"tune", "search"});
    Section section(table, title);
    TuneChoice tune = read_tune(section.find("tune"), section.find("search"), everywhere, title);
    return std::pair{std::move(plugin), std::move(tune)};
  };
  for (const WantedAt& wanted : read_wanted(top, "postprocessors")) {
    const std::string& name = wanted.plugin.name;
    auto [plugin, tune] = read_one(plugin_section(sections, name), name);
    if (tune.search && tune.where.empty()) {
      fail_at(
          tune.search->where,
          fmt::format("[postprocessor.{}] has 'search' and nothing to search; add tune, like tune = {{ k = {{ between "
                      "= [1, 100] }} }}, or leave it out",
                      name));
    }
    if (tune.mode == TuneChoice::Mode::none) tune.search.reset();
    experiment.postprocessors.push_back({name, std::move(plugin.params), std::move(plugin.where), wanted.where,
                                         std::move(tune), wanted.plugin.requirement});
  }
  if (!sections) return;
  for (const auto& [name, section] : *sections->table()) read_one(&section, name);
}

void read_seeds(Section& top, Experiment& experiment) {
  Section sweep(top.find_table("sweep"), "[sweep]");
  Section replicates(sweep.find_table("replicates"), "[sweep.replicates]");
  replicates.read("seed", experiment.seeds, 0);
  replicates.finish();
  sweep.finish();
  const std::set<std::int64_t> unique(experiment.seeds.begin(), experiment.seeds.end());
  if (experiment.seeds.empty())
    fail_at(replicates.where("seed"), "'seeds' is empty; give at least one, like seeds = [0]");
  if (unique.size() != experiment.seeds.size()) fail_at(replicates.where("seed"), "a seed stands twice in 'seeds'");
}

/// Which protocols there are is the benchmark's affair: the planner checks the names.
void read_protocols(Section& top, Experiment& experiment) {
  std::vector<NamedAt> names = read_names(top, "protocols");
  if (!top.find("protocols")) return;
  if (names.empty()) fail_at(top.where("protocols"), "'protocols' is empty; give ood, fsood or both");
  experiment.protocols.clear();
  for (NamedAt& named : names) experiment.protocols.push_back(std::move(named.name));
}

/// Bytes, or text like "4GiB".
void read_memory_limit(Section& run, Experiment& experiment) {
  constexpr std::int64_t kLeast = std::int64_t{256} << 20;  // less, and LibTorch is not even loaded
  const Value* value = run.find("memory_limit");
  if (value == nullptr) return;
  std::optional<std::int64_t> bytes;
  if (const auto* number = std::get_if<std::int64_t>(&value->data)) bytes = *number;
  if (const auto* text = std::get_if<std::string>(&value->data)) bytes = bytes_from_text(*text);
  if (!bytes || (*bytes != 0 && *bytes < kLeast)) {
    const auto* text = std::get_if<std::string>(&value->data);
    fail_at(value->where,
            fmt::format("'memory_limit' in [run] is {}; expected at least 256MiB, as bytes or text like \"4GiB\", or 0 "
                        "for none",
                        text != nullptr ? "'" + *text + "'"
                        : bytes         ? bytes_text(*bytes)
                                        : type_name(*value)));
  }
  experiment.memory_limit = *bytes;
}

void read_sections(Section& top, Experiment& experiment) {
  Section data(top.find_table("data"), "[data]");
  data.read("root", experiment.data_root);
  data.read("allow_count_mismatch", experiment.allow_count_mismatch);
  data.read("limit", experiment.limit, 0);
  data.read("on_unreadable", experiment.on_unreadable, {"fail", "skip"});
  data.read("follow_links", experiment.follow_links);
  data.read("identity", experiment.identity, {"contents", "stat"});
  data.read("packed", experiment.packed);
  data.finish();
  read_models(top, experiment);
  Section run(top.find_table("run"), "[run]");
  run.read("jobs", experiment.jobs, 0, 4096);
  run.read("threads", experiment.threads, 1, 4096);
  run.read("loader_threads", experiment.loader_threads, 0, 256);
  run.read("timeout_seconds", experiment.timeout_seconds, 0);
  run.read("hung_seconds", experiment.hung_seconds, 0);
  read_memory_limit(run, experiment);
  run.read("retries", experiment.retries, 0, 100);
  run.read("deterministic", experiment.deterministic);
  run.read("nproc", experiment.nproc, 1, 1024);
  run.read("tensorboard", experiment.tensorboard);
  run.read("ood_val", experiment.ood_val);
  run.read("evaluate", experiment.evaluate);
  run.finish();
}

void read_benchmarks(Section& top, Experiment& experiment, const std::string& source) {
  std::vector<std::string> names;
  top.read("benchmarks", names);
  if (names.empty() || names.front().empty()) {
    fail_at(source,
            "no benchmark is named; add a line like benchmark = \"fashion-mnist\", or benchmark=fashion-mnist on the "
            "command line");
  }
  const Value* value = top.find("benchmarks");
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string where = value->list() ? (*value->list())[i].where : value->where;
    const auto same = [&](const NamedAt& other) { return benchmark_key(other.name) == benchmark_key(names[i]); };
    if (std::any_of(experiment.benchmarks.begin(), experiment.benchmarks.end(), same)) {
      fail_at(where, fmt::format("'{}' stands twice in 'benchmarks'", names[i]));
    }
    experiment.benchmarks.push_back({names[i], where});
  }
}

/// Which networks there are is known to the engine alone; it names them where one is unknown.
void read_networks(Section& top, Experiment& experiment) {
  std::vector<std::string> names;
  if (!top.read("models", names)) return;
  if (names.empty()) fail_at(top.where("models"), "'models' is empty; name a network, like models = [\"resnet8\"]");
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) fail_at(top.where("models"), fmt::format("'{}' stands twice in 'models'", name));
  }
  experiment.networks = std::move(names);
}

/// A name becomes a folder beneath out/ and a line of a report.
void check_name(const std::string& name, const std::string& where) {
  const bool odd = name.empty() || name.front() == '.' || name.find_first_of("/\\\n\r\t") != std::string::npos;
  if (odd)
    fail_at(where, fmt::format(
                       "'name' is '{}'; it becomes a folder, so it is not empty, begins without a dot and has no slash",
                       name));
}

void check_device(const std::string& device, const std::string& where) {
  const std::string_view index = std::string_view(device).substr(std::min<std::size_t>(device.size(), 5));
  const auto is_digit = [](char c) { return '0' <= c && c <= '9'; };
  const bool numbered = device.starts_with("cuda:") && !index.empty() && index.size() < 4 &&
                        std::all_of(index.begin(), index.end(), is_digit);
  if (device == "cpu" || device == "cuda" || device == "cuda:all" || numbered) return;
  const std::vector<std::string> known{"cpu", "cuda", "cuda:0", "cuda:all"};
  fail_at(where, fmt::format("'device' takes cpu, cuda, cuda:N (that one) or cuda:all (a child on each), found '{}'{}",
                             device, suggestion(device, known)));
}

/// A model made elsewhere stands in for training, unless a recipe starts from it.
void choose_start(Experiment& experiment) {
  const auto starts = [](const LossChoice& loss) { return loss.recipe.start == "checkpoint"; };
  const auto loss = std::find_if(experiment.losses.begin(), experiment.losses.end(), starts);
  std::vector<ForeignModel>& models = experiment.foreign;
  if (loss == experiment.losses.end()) {
    if (!models.empty()) experiment.losses.clear();
    return;
  }
  if (models.size() != 1 || models.front().checkpoint.empty()) {
    fail_at(loss->where,
            fmt::format("the recipe of '{}' has start = \"checkpoint\", and {}: give the one weights file (or folder "
                        "with one for each seed) as model.checkpoint",
                        loss->name, models.empty() ? "there is none" : "[model] is not one weights file"));
  }
  if (!models.front().architecture.empty()) experiment.networks = {models.front().architecture};
  experiment.initial = std::move(models.front());
  models.clear();
}

}  // namespace

Experiment typed_experiment(const Value& document, const std::string& default_name, const std::string& source) {
  Experiment experiment;
  Section top(&document, "the top level");
  experiment.name = default_name;
  top.read("name", experiment.name);
  check_name(experiment.name, top.where("name"));
  top.read("recipe", experiment.recipe);
  read_benchmarks(top, experiment, source);
  read_networks(top, experiment);
  top.read("device", experiment.device);
  check_device(experiment.device, top.where("device"));
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
  top.find("benchmark");
  top.finish();
  choose_start(experiment);
  return experiment;
}

}  // namespace nearfar
