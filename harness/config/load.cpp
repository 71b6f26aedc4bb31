// Files, overrides and sweeps, composed to typed experiments.
#include "base/error.h"
#include "base/hash.h"
#include "base/locations.h"
#include "base/text.h"
#include "config/document.h"
#include "config/experiment.h"
#include "config/overrides.h"
#include "config/profile.h"
#include "config/sweep.h"
#include "config/typed_experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <optional>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// Files and overrides, composed, perhaps with the recipe of a point among what they extend.
class Composer {
 public:
  Composer(const std::vector<fs::path>& files, const std::vector<std::string>& overrides)
      : files_(files), overrides_(overrides) {}

  /// Without [sweep]; `recipe` is a point's setting or nullptr.
  const Value& document(const Value* recipe) {
    const std::string name = recipe == nullptr ? "" : value_text(*recipe);
    const auto known = documents_.find(name);
    if (known != documents_.end()) return known->second;
    Value document = composed(recipe == nullptr ? fs::path() : recipe_file(name, recipe->where));
    static_cast<void>(Sweep::take(document));
    return documents_.emplace(name, std::move(document)).first->second;
  }

  Value composed(const fs::path& recipe) const {
    Value document;
    for (const auto& file : files_) {
      const bool first = &file == &files_.front();
      merge_into(document, read_composed(file, normalise, first ? recipe : fs::path()));
    }
    for (const std::string& text : overrides_) apply_override(document, text);
    return document;
  }

 private:
  fs::path recipe_file(const std::string& name, const std::string& where) const {
    const fs::path here = files_.empty() ? fs::path() : files_.front().parent_path();
    if (name.ends_with(".toml")) {
      if (fs::is_regular_file(here / name)) return here / name;
      fail_at(where, fmt::format("there is no recipe '{}': {} is no file", name, (here / name).string()));
    }
    const std::vector<fs::path> folders{here / "../recipes", share() / "configs/recipes"};
    std::vector<std::string> known;
    for (const fs::path& folder : folders) {
      if (fs::is_regular_file(folder / (name + ".toml"))) return folder / (name + ".toml");
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(folder, ignored)) known.push_back(entry.path().stem().string());
    }
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    fail_at(where,
            fmt::format("there is no recipe '{}'{}; there are: {}", name, suggestion(name, known), join(known, ", ")));
  }

  const std::vector<fs::path>& files_;
  const std::vector<std::string>& overrides_;
  std::map<std::string, Value> documents_;
};

ParamValue scalar_value(const Value& value) {
  if (const auto* boolean = std::get_if<bool>(&value.data)) return *boolean;
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return *integer;
  if (const auto* number = std::get_if<double>(&value.data)) return *number;
  return value_text(value);
}

std::vector<Factor> factors_of(const Settings& settings) {
  std::vector<Factor> factors;
  for (const Setting& setting : settings) {
    const std::string name = setting.key == "benchmarks" ? "benchmark"
                             : setting.key == "models"   ? "model"
                             : setting.key == "losses"   ? "loss"
                                                         : setting.key;
    factors.push_back({name, scalar_value(setting.value)});
  }
  return factors;
}

/// Trainings and evaluations, before those that points share are counted once.
std::int64_t cells_of(const Experiment& point) {
  const auto count = [](const auto& list) { return std::max<std::int64_t>(1, static_cast<std::int64_t>(list.size())); };
  const std::int64_t models =
      point.losses.empty() ? count(point.foreign) : count(point.networks) * count(point.losses) * count(point.seeds);
  return count(point.benchmarks) * models * (1 + static_cast<std::int64_t>(point.postprocessors.size()));
}

void finish(Experiment& experiment) {
  experiment.canonical = canonical_text(experiment);
  experiment.hash = sha256(experiment.canonical);
}

Value text_value(const std::string& text) {
  Value value;
  value.data = text;
  return value;
}

/// What turns one document into another.
struct Changes {
  Value set;
  Value::List unset;
};

Changes changes_between(const Value& from, const Value& to, const std::string& prefix = "") {
  Changes changes;
  for (const auto& [key, value] : *from.table()) {
    if (!to.table()->contains(key)) changes.unset.push_back(text_value(prefix + key));
  }
  for (const auto& [key, value] : *to.table()) {
    const auto before = from.table()->find(key);
    if (before != from.table()->end() && before->second.table() && value.table()) {
      Changes inner = changes_between(before->second, value, prefix + key + ".");
      std::move(inner.unset.begin(), inner.unset.end(), std::back_inserter(changes.unset));
      if (!inner.set.table()->empty()) changes.set.table()->emplace(key, std::move(inner.set));
    } else if (before == from.table()->end() || !equal_values(before->second, value)) {
      changes.set.table()->emplace(key, value);
    }
  }
  return changes;
}

/// The points in full, so that a stored experiment needs neither its recipes nor its axes: [sweep.resolved].
Value stored_point(const Value& first, const Value& document, const std::vector<Factor>& settings) {
  Value point, labels;
  Changes changes = changes_between(first, document);
  for (const Factor& factor : settings)
    std::visit([&](const auto& held) { (*labels.table())[factor.name].data = held; }, factor.value);
  point.table()->emplace("settings", std::move(labels));
  if (!changes.set.table()->empty()) point.table()->emplace("set", std::move(changes.set));
  if (!changes.unset.empty()) (*point.table())["unset"].data = std::move(changes.unset);
  return point;
}

/// Where some points start from the weights of [model], those that do not are trained from scratch: nobody means to
/// evaluate these weights beside them.
void train_others_from_scratch(std::vector<Point>& points, const std::function<Value(std::size_t)>& document_of,
                               const std::string& name, const std::string& source) {
  const auto starts = [](const Point& point) { return point.experiment.initial.has_value(); };
  if (std::none_of(points.begin(), points.end(), starts)) return;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].experiment.foreign.empty()) continue;
    Value document = document_of(i);
    document.table()->erase("model");
    points[i].experiment = typed_experiment(document, name, source);
  }
}

/// `document_of` gives the document of each point; the whole is like the first, with what the points have in common.
Experiment with_points(std::vector<std::vector<Factor>> settings, const std::function<Value(std::size_t)>& document_of,
                       const std::optional<Halving>& halving, const std::string& name, const std::string& source,
                       std::int64_t max_cells) {
  std::vector<Point> points;
  std::int64_t cells = 0;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    points.push_back(
        {.settings = std::move(settings[i]), .experiment = typed_experiment(document_of(i), name, source)});
    cells += cells_of(points.back().experiment);
  }
  if (cells > max_cells) {
    fail_at(source, fmt::format("this sweep has {} cells in {} points, and at most {} are planned; take fewer values, "
                                "or raise --max-cells",
                                cells, points.size(), max_cells));
  }
  train_others_from_scratch(points, document_of, name, source);
  for (std::size_t i = 0; halving && i < points.size(); ++i)
    check_trial(*halving, points[i].experiment, document_of(i), points.front().experiment.train.epochs);
  Experiment experiment = points.front().experiment;
  experiment.halving = halving;
  for (const Point& point : points) {
    if (point.experiment.initial) experiment.initial = point.experiment.initial;
  }
  experiment.points = std::move(points);
  return experiment;
}

Experiment load_sweep(Composer& composer, Sweep& sweep, Value& base, const std::string& name, const std::string& source,
                      std::int64_t max_cells) {
  const std::vector<Settings> settings =
      sweep.points(base, max_cells, fmt::format("at most {} cells are planned", max_cells));
  const auto document_of = [&](std::size_t i) {
    const auto recipe = std::find_if(settings[i].begin(), settings[i].end(),
                                     [](const Setting& setting) { return setting.key == "recipe"; });
    Value document = composer.document(recipe == settings[i].end() ? nullptr : &recipe->value);
    for (const Setting& setting : settings[i]) apply_setting(document, setting);
    return document;
  };
  std::vector<std::vector<Factor>> factors;
  for (const Settings& point : settings) factors.push_back(factors_of(point));
  Experiment experiment = with_points(factors, document_of, sweep.halving(), name, source, max_cells);
  experiment.sweep = sweep.mode();
  experiment.excluded = sweep.excluded();
  base = document_of(0);
  Value resolved;
  auto& stored = resolved.data.emplace<Value::List>();
  for (std::size_t i = 0; i < settings.size(); ++i) stored.push_back(stored_point(base, document_of(i), factors[i]));
  Value& tables = base.table()->try_emplace("sweep").first->second;
  tables.table()->insert_or_assign("resolved", std::move(resolved));
  tables.table()->insert_or_assign("mode", text_value(sweep.mode()));
  if (sweep.halving()) tables.table()->insert_or_assign("halving", halving_table(*sweep.halving()));
  return experiment;
}

/// The document of a stored point.
Value resolved_document(Value document, const Value& point) {
  Section section(&point, "[[sweep.resolved]]");
  std::vector<std::string> unset;
  section.read("unset", unset);
  for (const std::string& key : unset) {
    const std::vector<std::string> path = split(key, '.');
    Value* at = &document;
    for (const std::string& part : path) {
      Value::Table* table = at->table();
      if (table == nullptr || !table->contains(part))
        fail_at(point.where, fmt::format("'unset' of a point names '{}', which is not there", key));
      if (&part == &path.back()) {
        table->erase(part);
      } else {
        at = &table->at(part);
      }
    }
  }
  if (const Value* set = section.find_table("set")) merge_into(document, *set);
  return document;
}

std::vector<Factor> resolved_settings(const Value& point) {
  std::vector<Factor> settings;
  if (const Value* labels = Section(&point, "[[sweep.resolved]]").find_table("settings")) {
    for (const auto& [name, value] : *labels->table()) settings.push_back({name, scalar_value(value)});
  }
  return settings;
}

/// An experiment whose points are written in full, as stored experiments have them; else nullopt.
std::optional<Experiment> load_resolved(Value document, const std::string& source, std::int64_t max_cells) {
  const auto found = document.table()->find("sweep");
  if (found == document.table()->end() || !found->second.table()) return std::nullopt;
  Value::Table& sweep = *found->second.table();
  const auto resolved = sweep.extract("resolved"), mode = sweep.extract("mode");
  const Value::List* points = resolved.empty() ? nullptr : resolved.mapped().list();
  if (points == nullptr || points->empty()) return std::nullopt;
  const auto round = sweep.extract("round"), table = sweep.extract("halving");
  std::optional<Halving> halving;
  if (!table.empty()) halving = read_halving(table.mapped());
  std::vector<std::vector<Factor>> settings;
  for (const Value& point : *points) settings.push_back(resolved_settings(point));
  Experiment experiment = with_points(
      std::move(settings), [&](std::size_t i) { return resolved_document(document, (*points)[i]); }, halving, "",
      source, max_cells);
  experiment.sweep = mode.empty() ? "" : value_text(mode.mapped());
  experiment.round = round.empty() ? "" : value_text(round.mapped());
  return experiment;
}

}  // namespace

Experiment load_experiment(const std::vector<fs::path>& files, const std::vector<std::string>& overrides,
                           std::int64_t max_cells) {
  if (files.empty() && overrides.empty())
    throw Error(ErrorKind::config, "no config file is given; try configs/experiments/quickstart.toml");
  Composer composer(files, overrides);
  Value document = composer.composed({});
  const std::string name = files.empty() ? "" : files.back().stem().string(),
                    source = files.empty() ? "the command line" : files.back().string();
  Experiment experiment;
  if (std::optional<Experiment> stored = load_resolved(document, source, max_cells)) {
    experiment = std::move(*stored);
  } else {
    std::optional<Sweep> sweep = Sweep::take(document);
    experiment = sweep ? load_sweep(composer, *sweep, document, name, source, max_cells)
                       : typed_experiment(document, name, source);
  }
  finish(experiment);
  document.table()->insert_or_assign("name", text_value(experiment.name));
  document.table()->erase("extends");
  const Value paths = take_paths(document);
  experiment.composed = toml_text(document);
  experiment.profile = toml_text(paths);
  return experiment;
}

Experiment load_composed_experiment(std::string_view composed, std::string_view profile) {
  Value document = parse_toml(composed, "the stored experiment");
  put_paths(document, parse_toml(profile, "the stored paths"));
  const std::string source = "the stored experiment";
  std::optional<Experiment> resolved = load_resolved(document, source, std::numeric_limits<std::int64_t>::max());
  Experiment experiment = resolved ? std::move(*resolved) : typed_experiment(document, "", source);
  finish(experiment);
  experiment.composed = composed;
  experiment.profile = profile;
  return experiment;
}

}  // namespace nearfar
