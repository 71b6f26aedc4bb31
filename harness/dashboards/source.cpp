#include "dashboards/source.h"

#include "base/text.h"
#include "report/order.h"
#include "report/select.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>
#include <set>

namespace nearfar {
namespace {

/// "2025-01-31T12:00:00Z" in milliseconds since 1970; 0 for "".
std::int64_t unix_ms_of(const std::string& utc) {
  std::tm time{};
  if (utc.empty() || ::strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time) == nullptr) return 0;
  return static_cast<std::int64_t>(::timegm(&time)) * 1000;
}

bool has_flag(const std::string& flags, std::string_view flag) {
  const std::vector<std::string> parts = split(flags, ';');
  return std::ranges::find(parts, flag) != parts.end();
}

std::string joined_flags(const std::string& one, const std::string& other) {
  std::set<std::string> parts;
  for (const std::string& flags : {one, other}) {
    for (std::string& part : split(flags, ';')) {
      if (!part.empty()) parts.insert(std::move(part));
    }
  }
  return join(std::vector<std::string>(parts.begin(), parts.end()), ";");
}

/// Appends the unweighted means over the sets of near and of far.
void add_means(std::vector<MetricRow>& numbers) {
  struct Sum {
    double sum = 0;
    int count = 0;
  };
  std::map<std::tuple<std::string, std::string, std::string>, Sum> sums;  // protocol, group, metric
  for (const MetricRow& number : numbers) {
    const auto group = std::ranges::find(kGroups, number.group, &GroupInfo::key);
    if (group == kGroups.end() || !group->has_means) continue;
    Sum& sum = sums[{number.protocol, number.group, number.metric}];
    sum.sum += number.value;
    ++sum.count;
  }
  for (const auto& [name, sum] : sums)
    numbers.push_back({std::get<0>(name), std::get<1>(name), "mean", std::get<2>(name), sum.sum / sum.count});
}

}  // namespace

ExportSource::ExportSource(const ResultStore& store, const ExportFilter& filter)
    : store_(store),
      filter_(filter),
      results_(load_results(store, {.experiment = filter.experiment})),
      leaderboard_(make_leaderboard(results_)) {
  for (std::size_t i = 0; i < results_.frame.subjects.size(); ++i) {
    subjects_.emplace(results_.frame.subjects[i].cell_key, i);
    models_.emplace(results_.frame.subjects[i].model_key, i);
  }
  for (const ResultValue& value : results_.frame.values) values_[value.subject].push_back(&value);
  const std::vector<SelectedBoard> selected = select_boards(results_.frame, results_.filter);
  for (std::size_t board = 0; board < selected.size(); ++board) {  // the leaderboard's boards, in its order
    for (const SelectedRow& row : selected[board].rows) {
      const auto& rows = leaderboard_.boards[board].rows;
      const auto shown = std::ranges::find_if(
          rows, [&](const LeaderboardRow& candidate) { return static_cast<const RowName&>(candidate) == row.name; });
      if (shown == rows.end()) continue;
      for (const SelectedSeed& seed : row.seeds) add_place(leaderboard_.boards[board], *shown, seed.subject->cell_key);
    }
  }
  for (const std::string& name : store.experiments()) {
    for (const CellStatus& status : store.cells(name)) experiments_.emplace(status.key, name);
  }
  std::map<std::string, int> labels;
  for (CellStatus& status : store.cells(filter.experiment)) {
    if (status.kind == CellKind::features || status.attempt == 0) continue;
    if (filter_.wanted && !filter_.wanted(status)) continue;
    ++labels[status.label];
    statuses_.push_back(std::move(status));
  }
  for (const CellStatus& status : statuses_)
    names_.push_back(labels[status.label] > 1 ? fmt::format("{} {}", status.label, status.id) : status.label);
}

void ExportSource::add_place(const LeaderboardBoard& board, const LeaderboardRow& row, const std::string& cell_key) {
  places_[cell_key].push_back({.protocol = board.protocol,
                               .data_hash = board.data_hash,
                               .row = row,
                               .rank = row.rank,
                               .unranked_reason = row.unranked_reason});
}

std::size_t ExportSource::partial_count() const {
  std::size_t count = 0;
  for (const CellStatus& status : statuses_) {
    const auto subject = subjects_.find(status.key);
    if (subject != subjects_.end() && has_flag(results_.frame.subjects[subject->second].flags, "partial")) ++count;
  }
  return count;
}

void ExportSource::add_numbers(ExportedCell& cell) const {
  const auto subject = subjects_.find(cell.details.status.key);
  if (subject == subjects_.end()) {
    cell.numbers = cell.details.outcome.metrics;
    return;
  }
  const ResultSubject& result = results_.frame.subjects[subject->second];
  cell.flags = joined_flags(cell.flags, result.flags);
  cell.postprocessor_version = result.postprocessor_version;
  cell.postprocessor_source_hash = result.postprocessor_source_hash;
  if (const auto values = values_.find(subject->second); values != values_.end()) {
    for (const ResultValue* value : values->second)
      cell.numbers.push_back({value->protocol, value->group, value->dataset, value->metric, value->value});
  }
  add_means(cell.numbers);
}

ExportedCell ExportSource::cell(std::size_t place) const {
  const CellStatus& status = statuses_.at(place);
  ExportedCell cell;
  std::optional<CellDetails> details = store_.find(status.key);
  if (!details || details->runs.empty())
    throw Error(ErrorKind::store, fmt::format("cell {} ('{}') is gone from the database", status.id, status.label));
  cell.details = std::move(*details);
  cell.name = names_.at(place);
  if (const auto found = experiments_.find(status.key); found != experiments_.end()) cell.experiment = found->second;
  const RunStatus& run = cell.details.runs.back();
  cell.run_uid = run.uid;
  cell.started_unix_ms = unix_ms_of(run.started_utc);
  if (!run.finished_utc.empty())
    cell.finished_unix_ms = cell.started_unix_ms + static_cast<std::int64_t>(run.seconds * 1000 + 0.5);
  cell.flags = joined_flags(cell.details.record.flags, cell.details.outcome.flags);
  if (const auto model = models_.find(cell.details.record.model_key); model != models_.end()) {
    cell.training_version = results_.frame.subjects[model->second].training_version;
    cell.training_source_hash = results_.frame.subjects[model->second].training_source_hash;
  }
  add_numbers(cell);
  cell.is_partial = has_flag(cell.flags, "partial");
  if (const auto places = places_.find(status.key); places != places_.end()) cell.places = places->second;
  return cell;
}

std::string state_text(const ExportedCell& cell) {
  const CellStatus& status = cell.details.status;
  return fmt::format("{}{}{}", state_name(status.state), status.message.empty() ? "" : ": ", status.message);
}

std::string row_title(const RowName& row) {
  const auto with = [](const std::string& name, const std::string& params) {
    return params.empty() ? name : fmt::format("{} ({})", name, replace_all(params, ";", ", "));
  };
  return fmt::format("{} + {}", with(row.training, row.training_params),
                     with(row.postprocessor, row.postprocessor_params));
}

std::string row_json(const RowName& row) {
  using Json = nlohmann::ordered_json;
  const Json document{{"training", row.training},           {"training_params", row.training_params},
                      {"architecture", row.architecture},   {"recipe", row.recipe},
                      {"postprocessor", row.postprocessor}, {"postprocessor_params", row.postprocessor_params}};
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string value_text(const ParamValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  return number_text(std::get<double>(value));
}

std::string number_name(const MetricRow& number) {
  return fmt::format("{}/{}/{}/{}", number.protocol, number.group, number.dataset, number.metric);
}

std::string measure_name(const MeasureRow& measure) {
  return measure.set.empty() ? measure.name : fmt::format("{}/{}", measure.set, measure.name);
}

std::int64_t last_step(const ExportedCell& cell) {
  std::int64_t last = 0;
  for (const CurvePoint& point : cell.details.outcome.curve) last = std::max(last, point.step);
  return last;
}

std::int64_t time_of_step(const ExportedCell& cell, std::int64_t step, std::int64_t last_step) {
  if (last_step <= 0 || cell.finished_unix_ms == 0) return cell.started_unix_ms;
  const double share = static_cast<double>(step) / static_cast<double>(last_step);
  return cell.started_unix_ms +
         static_cast<std::int64_t>(share * static_cast<double>(cell.finished_unix_ms - cell.started_unix_ms));
}

}  // namespace nearfar
