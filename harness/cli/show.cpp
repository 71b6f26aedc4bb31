#include "cli/show.h"

#include "base/error.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/reproduce.h"
#include "cli/verbs.h"
#include "host/params.h"
#include "report/cell_json.h"
#include "store/session.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>

namespace nearfar {
namespace {

/// Of many points the best, in the order of the search; --json and tune.json have all of them.
std::vector<const TunePoint*> points_to_show(const std::vector<TunePoint>& points) {
  constexpr std::size_t kMost = 40;
  std::vector<const TunePoint*> shown;
  for (const TunePoint& point : points) shown.push_back(&point);
  if (shown.size() <= kMost) return shown;
  const auto better = [](const TunePoint* one, const TunePoint* other) {
    return one->auroc.value_or(-1) > other->auroc.value_or(-1);  // a refused one has none
  };
  std::stable_sort(shown.begin(), shown.end(), better);
  shown.resize(kMost);
  std::sort(shown.begin(), shown.end());
  return shown;
}

/// The parameter search of an eval cell; the first highest AUROC was chosen.
std::string tuning_text(const std::vector<TunePoint>& points) {
  if (points.empty()) return "";
  const auto chosen = std::find_if(points.begin(), points.end(), [](const TunePoint& point) { return point.chosen; });
  std::vector<std::vector<std::string>> rows{{"searched on val against ood_val", "auroc %", ""}};
  const std::vector<const TunePoint*> shown = points_to_show(points);
  for (const TunePoint* point : shown) {
    const bool tie = chosen != points.end() && !point->chosen && point->auroc && point->auroc == chosen->auroc;
    rows.push_back({point->params, point->auroc ? fmt::format("{:.4f}", 100 * *point->auroc) : "–",
                    point->chosen             ? "chosen"
                    : tie                     ? "tie: the first was chosen"
                    : !point->refused.empty() ? "refused: " + point->refused
                                              : ""});
  }
  std::string text = "\n" + table(rows, {false, true, false});
  if (shown.size() < points.size())
    text += fmt::format("the best {} of {} points; tune.json has all\n", shown.size(), points.size());
  return text;
}

/// The last epochs of a training.
std::string curves_text(const std::vector<CurvePoint>& points) {
  constexpr std::size_t kMostEpochs = 10;
  std::vector<std::string> names;
  std::map<std::int64_t, std::map<std::string, double>> epochs;
  for (const CurvePoint& point : points) {
    if (std::find(names.begin(), names.end(), point.name) == names.end()) names.push_back(point.name);
    epochs[point.step][point.name] = point.value;
  }
  if (epochs.empty()) return "";
  std::vector<std::vector<std::string>> rows{{"epoch"}};
  rows[0].insert(rows[0].end(), names.begin(), names.end());
  const std::size_t left_out = epochs.size() - std::min(epochs.size(), kMostEpochs);
  epochs.erase(epochs.begin(), std::next(epochs.begin(), static_cast<std::ptrdiff_t>(left_out)));
  const std::string note = left_out > 0 ? fmt::format("({} epochs before these: --json)\n", left_out) : "";
  for (const auto& [epoch, values] : epochs) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(std::to_string(epoch + 1));
    for (const std::string& name : names)
      row.push_back(values.contains(name) ? fmt::format("{:.5g}", values.at(name)) : "");
  }
  return "\n" + table(rows, std::vector<bool>(names.size() + 1, true)) + note;
}

/// How good the classifier of the model is on the test images.
std::string measures_text(const std::vector<MeasureRow>& measures) {
  std::string text;
  for (const MeasureRow& row : measures) {
    if (row.set.empty()) continue;  // the device's
    const std::string value = row.unit == "fraction" ? fmt::format("{:.2f} %", 100 * row.value)
                                                     : fmt::format("{:.4f} {}", row.value, row.unit);
    text += fmt::format("{}{} {}", text.empty() ? "measured   " : ", ", row.name, value);
  }
  return text.empty() ? "" : text + " on test (classes: quality.json)\n";
}

/// What was asked of a device that is not the CPU.
std::string device_text(const std::vector<MeasureRow>& measures) {
  std::map<std::string_view, double> found;
  for (const MeasureRow& row : measures) {
    if (row.set.empty()) found[row.name] = row.value;
  }
  if (!found.contains("device_peak_memory")) return "";
  constexpr double kMiB = 1 << 20;
  return fmt::format(
      "device     {:.0f} copies to it ({:.1f} MiB), {:.0f} back ({:.1f} MiB), {:.0f} waits; {:.1f} MiB at most\n",
      found["device_copies_in"], found["device_bytes_in"] / kMiB, found["device_copies_out"],
      found["device_bytes_out"] / kMiB, found["device_waits"], found["device_peak_memory"] / kMiB);
}

std::string factors_text(const CellDetails& details) {
  std::string text, shown;
  for (const Factor& factor : details.factors) {
    if (!factor.is_default)
      shown += fmt::format("{}{}={}", shown.empty() ? "" : "  ", factor.name, param_text(factor.value));
  }
  if (!shown.empty()) text += "factors    " + shown + "\n";
  for (const CellDetails::Difference& one : details.differences) {
    text += fmt::format("differs    in {}: {} here, {} in other cells of this label\n", one.name,
                        one.here.empty() ? "the default" : one.here, join(one.elsewhere, ", "));
  }
  return text;
}

std::string files_text(const Outcome& outcome) {
  std::vector<std::vector<std::string>> rows{{"file", "sha256"}};
  for (const ArtifactRow& row : outcome.artifacts) rows.push_back({row.path, row.sha256.substr(0, 16)});
  for (const ScoreSetRow& row : outcome.scores) rows.push_back({row.path, row.sha256.substr(0, 16)});
  return rows.size() > 1 ? "\n" + table(rows, {false, false}) : "";
}

}  // namespace

std::string details_text(const CellDetails& details, const std::string& reproduce) {
  const CellStatus& status = details.status;
  std::string text =
      fmt::format("{}  {}\nstate      {}{}\nkey        {}\nidentity   {}\n", status.label, kind_name(status.kind),
                  state_name(status.state), status.message.empty() ? "" : ": " + status.message, status.key,
                  details.record.identity_json);
  text += factors_text(details);
  if (const std::string flags = flags_of(details); !flags.empty()) text += fmt::format("flags      {}\n", flags);
  for (const PluginRecord& plugin : plugins_of(details))
    text += fmt::format("plugin     {} {} {}\n", plugin.kind, plugin.name, plugin_text(plugin));
  for (const RunStatus& run : details.runs) {
    text += fmt::format("attempt {}  {} {} … {} ({}) on {} with {} threads, nearfar {}{}\n", run.attempt,
                        state_name(run.state), run.started_utc, run.finished_utc, duration_text(run.seconds),
                        run.context.device, run.context.threads, run.context.engine_version,
                        run.message.empty() ? "" : ": " + run.message);
  }
  if (!details.location.empty()) text += fmt::format("location   {}\n", details.location.string());
  if (!status.log_file.empty()) text += fmt::format("log        {}\n", status.log_file);
  if (!reproduce.empty()) text += fmt::format("again      {}\n", reproduce);
  text += measures_text(details.outcome.measures) + device_text(details.outcome.measures);
  std::vector<std::vector<std::string>> rows{{"protocol", "group", "data set", "metric", "%"}};
  for (const MetricRow& row : details.outcome.metrics) {
    rows.push_back({row.protocol, row.group, row.dataset, row.metric, fmt::format("{:.4f}", 100 * row.value)});
  }
  if (rows.size() > 1) text += "\n" + table(rows, {false, false, false, false, true});
  return text + curves_text(details.outcome.curve) + tuning_text(details.outcome.tune) + files_text(details.outcome);
}

int show_verb(const DatabaseArguments& arguments, const std::string& cell) {
  const Session session = Session::open_read_only(database_of(arguments));
  const auto details = session.results().find(cell);
  if (!details) {
    throw Error(ErrorKind::nothing,
                fmt::format("{}: there is no cell '{}'; `nearfar status` lists them", session.name(), cell));
  }
  const std::string reproduce = reproduce_command(session.results(), *details);
  fmt::print("{}",
             arguments.json ? details_json(*details, reproduce).dump(2) + "\n" : details_text(*details, reproduce));
  return 0;
}

}  // namespace nearfar
