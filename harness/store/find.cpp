/// One cell with everything that hangs on it.
#include "base/error.h"
#include "base/text.h"
#include "store/parts.h"
#include "store/rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

namespace nearfar {
namespace {

/// The cell's own factors and its model's, sorted by name.
std::vector<Factor> factors_with_model(const Database& db, std::string_view key) {
  std::vector<Factor> factors = collect(db.query("SELECT name, value, is_boolean, is_default FROM cell_factor"
                                                 " WHERE cell_key IN (?1, (SELECT train_key FROM cell WHERE key = ?1))"
                                                 " ORDER BY name, cell_key <> ?1",
                                                 key),
                                        [](Row& row) { return row.factor(); });
  // Of two of one name the cell's own comes first.
  const auto same_name = [](const Factor& a, const Factor& b) { return a.name == b.name; };
  factors.erase(std::unique(factors.begin(), factors.end(), same_name), factors.end());
  return factors;
}

std::string value_text(const ParamValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const std::int64_t* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const double* number = std::get_if<double>(&value)) return number_text(*number);
  return std::get<std::string>(value);
}

/// What tells cells of one label apart: name → value, for people.
using Traits = std::map<std::string, std::string>;
Traits traits_of(const Database& db, std::string_view key) {
  Traits traits;
  for (const Factor& factor : factors_with_model(db, key)) traits[factor.name] = value_text(factor.value);
  const auto cell = db.query("SELECT benchmark, data_hash FROM cell WHERE key = ?", key);
  if (cell->step()) {
    Row row(*cell);
    traits["benchmark"] = row.text();
    traits["data"] = row.text().substr(0, 12);
  }
  // An upgraded plugin makes another cell of the same label.
  const auto plugins = db.query(
      "SELECT plugin.kind, plugin.version, plugin.source_hash FROM run JOIN plugin ON plugin.id = run.plugin_id"
      " WHERE run.cell_key = ?1 OR run.cell_key = (SELECT train_key FROM cell WHERE key = ?1) ORDER BY run.uid",
      key);
  while (plugins->step()) {
    Row row(*plugins);
    const std::string kind = row.text();
    traits[kind + " version"] = row.text();
    traits[kind + " source"] = row.text().substr(0, 12);
  }
  return traits;
}

std::string trait(const Traits& traits, const std::string& name) {
  const auto found = traits.find(name);
  return found == traits.end() ? "" : found->second;
}

std::vector<CellDetails::Difference> differences(const Traits& here, const std::vector<Traits>& others) {
  std::set<std::string> names;
  for (const Traits& traits : others) {
    for (const auto& [name, value] : traits) names.insert(name);
  }
  for (const auto& [name, value] : here) names.insert(name);
  std::vector<CellDetails::Difference> result;
  for (const std::string& name : names) {
    const std::string own = trait(here, name);
    std::set<std::string> elsewhere;
    for (const Traits& traits : others) elsewhere.insert(trait(traits, name));
    elsewhere.erase(own);
    if (!elsewhere.empty()) result.push_back({name, own, {elsewhere.begin(), elsewhere.end()}});
  }
  return result;
}

struct Candidate {
  std::string key, label;
};

constexpr std::size_t kShownCandidates = 8;

[[noreturn]] void refuse(const Database& db, std::string_view text, const std::vector<Candidate>& candidates) {
  std::vector<Traits> traits;
  for (std::size_t i = 0; i < std::min(candidates.size(), kShownCandidates); ++i)
    traits.push_back(traits_of(db, candidates[i].key));
  std::string lines;
  for (std::size_t i = 0; i < traits.size(); ++i) {
    std::vector<std::string> shown;
    for (const CellDetails::Difference& difference : differences(traits[i], traits)) {
      if (!difference.here.empty()) shown.push_back(difference.name + "=" + difference.here);
    }
    lines += fmt::format("\n  {}  {}{}", candidates[i].key.substr(0, 12), candidates[i].label,
                         shown.empty() ? "" : "  (" + join(shown, ", ") + ")");
  }
  throw Error(ErrorKind::config, fmt::format("'{}' names {} cells; give more of the key:{}{}", text, candidates.size(),
                                             lines, candidates.size() > kShownCandidates ? "\n  …" : ""));
}

/// The one cell meant by `text`, "" if there is none. A whole key beats a label, a label beats a prefix. Each by an
/// index.
std::string resolve(const Database& db, std::string_view text) {
  if (text.empty()) return "";
  // char(0x10FFFF) sorts after everything that may follow.
  for (const char* condition :
       {"SELECT key, label FROM cell WHERE key = ?1", "SELECT key, label FROM cell WHERE label = ?1 ORDER BY key",
        "SELECT key, label FROM cell WHERE key >= ?1 AND key < ?1 || char(1114111) ORDER BY key"}) {
    const auto found = collect(db.query(condition, text), [](Row& row) { return Candidate{row.text(), row.text()}; });
    if (found.size() == 1) return found.front().key;
    if (found.size() > 1) refuse(db, text, found);
  }
  return "";
}

CellRecord read_record(Row& row) {
  CellRecord record;
  record.key = row.text();
  record.kind = row.kind();
  for (std::string* field :
       {&record.model_key, &record.train_key, &record.label, &record.benchmark, &record.data_hash, &record.architecture,
        &record.head, &record.training, &record.training_params, &record.recipe}) {
    *field = row.text();
  }
  record.seed = row.number();
  for (std::string* field :
       {&record.image_set, &record.postprocessor, &record.postprocessor_params, &record.identity_json, &record.flags}) {
    *field = row.text();
  }
  return record;
}

constexpr const char* kPluginColumns =
    "coalesce(plugin.kind, ''), coalesce(plugin.name, ''), coalesce(plugin.version, ''),"
    " coalesce(plugin.source_hash, ''), coalesce(plugin.binary_hash, ''), coalesce(plugin.build_tag, ''),"
    " coalesce(plugin.tier, '')";

PluginRecord read_plugin(Row& row) {
  PluginRecord plugin;
  for (std::string* field : {&plugin.kind, &plugin.name, &plugin.version, &plugin.source_hash, &plugin.binary_hash,
                             &plugin.build_tag, &plugin.tier}) {
    *field = row.text();
  }
  return plugin;
}

/// Of the valid run of the cell.
std::optional<PluginRecord> plugin_of(const Database& db, std::string_view key) {
  const auto found = db.query(fmt::format("SELECT {} FROM v_valid_run AS run JOIN plugin ON plugin.id = run.plugin_id"
                                          " WHERE run.cell_key = ?",
                                          kPluginColumns)
                                  .c_str(),
                              key);
  if (!found->step()) return std::nullopt;
  Row row(*found);
  return read_plugin(row);
}

RunStatus read_run(Row& row, const Database& db) {
  RunStatus run;
  run.uid = row.text();
  run.attempt = row.small();
  run.state = row.state();
  run.context.owner = row.text();
  run.context.device = row.text();
  run.context.threads = row.small();
  run.context.engine_version = row.text();
  run.context.numerics = row.text();
  run.context.log_file = row.text();
  run.context.location = row.number();
  run.context.plugin_id = row.number();
  const std::string host = row.text(), root = row.text();
  run.location = location_folder(db, host, root).string();
  run.message = row.text();
  const std::int64_t started = row.number(), finished = row.number();
  const Times times = times_of(started, finished, db.now());
  run.started_utc = times.started_utc;
  run.finished_utc = times.finished_utc;
  run.seconds = times.seconds;
  PluginRecord plugin = read_plugin(row);
  if (!plugin.name.empty()) run.plugin = std::move(plugin);
  return run;
}

}  // namespace

std::optional<CellDetails> find_cell(Database& db, std::string_view key_or_prefix) {
  const std::string key = resolve(db, key_or_prefix);
  if (key.empty()) return std::nullopt;
  CellDetails details;
  details.record =
      collect(db.query("SELECT key, kind, model_key, coalesce(train_key, ''), label, benchmark, data_hash,"
                       " architecture, head, training, training_params, recipe, seed, image_set,"
                       " postprocessor, postprocessor_params, identity_json, flags FROM cell WHERE key = ?",
                       key),
              read_record)
          .at(0);
  details.record.factors =
      collect(db.query("SELECT name, value, is_boolean, is_default FROM cell_factor WHERE cell_key = ?"
                       " ORDER BY name",
                       key),
              [](Row& row) { return row.factor(); });
  details.factors = factors_with_model(db, key);
  details.status = collect(db.query(fmt::format("{} WHERE cell.key = ?", kSelectStatus).c_str(), key), [&](Row& row) {
                     return read_status(row, db);
                   }).at(0);
  details.runs =
      collect(db.query(fmt::format("SELECT uid, attempt, state, owner, device, thread_count, engine_version, numerics,"
                                   " log_file, coalesce(location_id, 0), coalesce(plugin_id, 0), coalesce(host, ''),"
                                   " coalesce(root, ''), message, started_unix_ms, finished_unix_ms, {}"
                                   " FROM run LEFT JOIN location ON location.id = location_id"
                                   " LEFT JOIN plugin ON plugin.id = plugin_id WHERE cell_key = ? ORDER BY attempt",
                                   kPluginColumns)
                           .c_str(),
                       key),
              [&](Row& row) { return read_run(row, db); });
  if (const auto uid = db.text("SELECT uid FROM v_valid_run WHERE cell_key = ?", key)) {
    details.outcome = read_outcome(db, *uid);
    details.location = std::ranges::find(details.runs, *uid, &RunStatus::uid)->location;
  }
  const bool is_train = details.record.kind == CellKind::train;
  details.loss = plugin_of(db, is_train ? details.record.key : details.record.train_key);
  std::vector<Traits> others;
  for (const std::string& other :
       collect(db.query("SELECT key FROM cell WHERE label = ? AND key <> ? ORDER BY key", details.record.label, key),
               [](Row& row) { return row.text(); })) {
    others.push_back(traits_of(db, other));
  }
  details.differences = differences(traits_of(db, key), others);
  return details;
}

}  // namespace nearfar
