#include "dashboards/ro_crate.h"

#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "dashboards/folder.h"
#include "report/leaderboard_forms.h"
#include "store/upkeep.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>
#include <set>

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json reference(const std::string& id) { return {{"@id", id}}; }

std::string utc(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm time{};
  ::gmtime_r(&seconds, &time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", time.tm_year + 1900, time.tm_mon + 1, time.tm_mday,
                     time.tm_hour, time.tm_min, time.tm_sec, unix_ms % 1000);
}

std::string action_status(CellState state) {
  if (state == CellState::ok) return "http://schema.org/CompletedActionStatus";
  if (is_failure(state)) return "http://schema.org/FailedActionStatus";
  return "http://schema.org/ActiveActionStatus";
}

class Crate {
 public:
  Crate(const ExportSource& source, const fs::path& folder) : source_(source), folder_(folder) {}

  void add_database(const fs::path& database) {
    back_up_database(database, folder_ / "results.sqlite");
    add_file("results.sqlite", "Results database", "application/vnd.sqlite3",
             "All cells, attempts and numbers of nearfar, of every experiment in it");
  }

  void add_leaderboard() {
    put("leaderboard.json", leaderboard_json(source_.leaderboard()), "Leaderboard", "application/json",
        "Rows with all numbers as fractions, seeds aggregated");
    put("leaderboard.csv", leaderboard_csv(source_.leaderboard()), "Leaderboard as a table", "text/csv",
        "One number a row, in percent");
  }

  void add_configs() {
    const std::vector<std::string> names =
        source_.experiment() ? std::vector{*source_.experiment()} : source_.store().experiments();
    for (const std::string& name : names) {
      const std::optional<ExperimentRecord> experiment = source_.store().experiment(name);
      if (!experiment) continue;
      const std::string file = fmt::format("configs/{}_{}.toml", file_name_of(name), experiment->hash.substr(0, 12));
      put(file, experiment->composed, fmt::format("Configuration of experiment {}", name), "application/toml",
          "Composed, without paths of a machine; hash of its canonical form: " + experiment->hash);
      configs_[name] = file;
    }
  }

  void add_cell(const ExportedCell& cell) {
    const CellRecord& record = cell.details.record;
    const RunStatus& run = cell.details.runs.back();
    Json action{{"@id", "#run/" + cell.run_uid},
                {"@type", "CreateAction"},
                {"name", cell.name},
                {"description", fmt::format("{} cell {}, attempt {}: {}", kind_name(record.kind), record.key,
                                            run.attempt, state_text(cell))},
                {"startTime", utc(cell.started_unix_ms)}};
    if (cell.finished_unix_ms != 0) action["endTime"] = utc(cell.finished_unix_ms);
    action["actionStatus"] = reference(action_status(cell.details.status.state));
    if (is_failure(cell.details.status.state)) action["error"] = state_text(cell);
    action["instrument"] = instruments(cell);
    Json objects = Json::array(), results = Json::array();
    if (const auto config = configs_.find(cell.experiment); config != configs_.end())
      objects.push_back(reference(config->second));
    for (const std::string& score : copy_scores(cell)) results.push_back(reference(score));
    for (const std::string& number : add_numbers(cell)) results.push_back(reference(number));
    if (!objects.empty()) action["object"] = std::move(objects);
    if (!results.empty()) action["result"] = std::move(results);
    if (!cell.flags.empty()) action["keywords"] = cell.flags;
    mentions_.push_back(reference("#run/" + cell.run_uid));
    contextual_.push_back(std::move(action));
    last_unix_ms_ = std::max({last_unix_ms_, cell.started_unix_ms, cell.finished_unix_ms});
    partial_ |= cell.is_partial;
  }

  void write() const {
    Json graph = Json::array();
    graph.push_back({{"@id", "ro-crate-metadata.json"},
                     {"@type", "CreativeWork"},
                     {"conformsTo", reference("https://w3id.org/ro/crate/1.1")},
                     {"about", reference("./")}});
    graph.push_back(root());
    graph.push_back({{"@id", "https://w3id.org/ro/wfrun/process/0.5"},
                     {"@type", "CreativeWork"},
                     {"name", "Process Run Crate"},
                     {"version", "0.5"}});
    graph.push_back({{"@id", "#license"},
                     {"@type", "CreativeWork"},
                     {"name", "No license is stated"},
                     {"description", "Whoever publishes this crate says here under which license"}});
    for (const Json* list : {&files_, &contextual_}) {
      for (const Json& entity : *list) graph.push_back(entity);
    }
    const Json document{
        {"@context", {"https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"}},
        {"@graph", std::move(graph)}};
    write_export_file(folder_ / "ro-crate-metadata.json",
                      document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  }

  std::int64_t missing_count() const { return missing_; }

 private:
  Json root() const {
    Json parts = Json::array();
    for (const Json& file : files_) parts.push_back(reference(file["@id"].get<std::string>()));
    const std::string name = source_.experiment() ? "experiment " + *source_.experiment() : "all experiments";
    std::string description = fmt::format(
        "Results of out-of-distribution detection made by nearfar: {} of {}. Numbers are fractions; scores are higher "
        "for what is out of distribution.",
        source_.size() == 1 ? "1 cell" : fmt::format("{} cells", source_.size()), name);
    if (partial_) description += " Some results are PARTIAL, made from a part of the images: their keywords say so.";
    if (missing_ > 0) description += fmt::format(" {} score files were on other machines and are not here.", missing_);
    return {{"@id", "./"},
            {"@type", "Dataset"},
            {"name", "nearfar results: " + name},
            {"description", description},
            {"datePublished", utc(last_unix_ms_)},
            {"license", reference("#license")},
            {"conformsTo", reference("https://w3id.org/ro/wfrun/process/0.5")},
            {"hasPart", std::move(parts)},
            {"mentions", mentions_}};
  }

  void put(const std::string& file, const std::string& content, const std::string& name, const std::string& format,
           const std::string& description) {
    write_export_file(folder_ / file, content);
    add_file(file, name, format, description);
  }

  void add_file(const std::string& file, const std::string& name, const std::string& format,
                const std::string& description) {
    files_.push_back({{"@id", file},
                      {"@type", "File"},
                      {"name", name},
                      {"description", description},
                      {"encodingFormat", format},
                      {"contentSize", std::to_string(fs::file_size(folder_ / file))},
                      {"sha256", sha256_file(folder_ / file)}});
  }

  /// The program, and the plugin that ran in it.
  Json instruments(const ExportedCell& cell) {
    const CellRecord& record = cell.details.record;
    const std::string version = cell.details.runs.back().context.engine_version;
    Json used = Json::array({software("nearfar", version, "")});
    if (record.kind == CellKind::train)
      used.push_back(software("loss " + record.training, cell.training_version, cell.training_source_hash));
    if (record.kind == CellKind::eval) {
      used.push_back(software("postprocessor " + record.postprocessor, cell.postprocessor_version,
                              cell.postprocessor_source_hash));
    }
    return used;
  }

  Json software(const std::string& name, const std::string& version, const std::string& source_hash) {
    const std::string id =
        fmt::format("#software/{}", file_name_of(fmt::format("{}-{}-{}", name, version, source_hash.substr(0, 12))));
    if (software_.insert(id).second) {
      Json entity{{"@id", id}, {"@type", "SoftwareApplication"}, {"name", name}};
      if (!version.empty()) entity["softwareVersion"] = version;
      if (!source_hash.empty()) entity["identifier"] = source_hash;
      contextual_.push_back(std::move(entity));
    }
    return reference(id);
  }

  std::vector<std::string> copy_scores(const ExportedCell& cell) {
    std::vector<std::string> copied;
    for (const ScoreSetRow& scores : cell.details.outcome.scores) {
      const fs::path from = cell.details.location / scores.path;
      if (!fs::exists(from)) {
        ++missing_;
        continue;
      }
      std::string file = "scores/" + cell.details.record.key.substr(0, 24);
      for (const std::string& part : split(scores.set, '/')) file += "/" + file_name_of(part);
      file += ".npy";
      write_export_file(folder_ / file, read_file(from));
      if (sha256_file(folder_ / file) != scores.sha256) {
        throw Error(
            ErrorKind::data,
            fmt::format("{}: is not the file that the run of '{}' wrote; run the experiment again, or leave the "
                        "cell out with -k",
                        from.string(), cell.name));
      }
      const bool marks = scores.set.starts_with("correct/");  // of accuracy cells
      add_file(
          file, fmt::format("{} of {} on {}", marks ? "Right and wrong" : "Scores", cell.name, scores.set),
          "application/octet-stream",
          fmt::format("{} {} as a NumPy file, one an image in list order, {}", scores.count, marks ? "marks" : "scores",
                      marks ? "1 = the class was right" : "higher is more out of distribution"));
      copied.push_back(file);
    }
    return copied;
  }

  std::vector<std::string> add_numbers(const ExportedCell& cell) {
    std::vector<std::string> ids;
    const auto add = [&](const std::string& name, double value, const std::string& unit) {
      const std::string id = fmt::format("#number/{}/{}", cell.run_uid, replace_all(name, " ", "_"));
      contextual_.push_back(
          {{"@id", id}, {"@type", "PropertyValue"}, {"name", name}, {"value", value}, {"unitText", unit}});
      ids.push_back(id);
    };
    for (const MetricRow& number : cell.numbers) add(number_name(number), number.value, "fraction");
    for (const MeasureRow& measure : cell.details.outcome.measures)
      add("measures/" + measure_name(measure), measure.value, measure.unit);
    return ids;
  }

  const ExportSource& source_;
  const fs::path& folder_;
  Json files_ = Json::array(), contextual_ = Json::array(), mentions_ = Json::array();
  std::map<std::string, std::string> configs_;  // files by experiment
  std::set<std::string> software_;
  std::int64_t last_unix_ms_ = 0, missing_ = 0;
  bool partial_ = false;
};

}  // namespace

std::int64_t export_ro_crate(const ExportSource& source, const fs::path& database, const fs::path& folder) {
  Crate crate(source, folder);
  if (!database.empty()) crate.add_database(database);
  crate.add_leaderboard();
  crate.add_configs();
  for (std::size_t i = 0; i < source.size(); ++i) crate.add_cell(source.cell(i));
  crate.write();
  return crate.missing_count();
}

}  // namespace nearfar
