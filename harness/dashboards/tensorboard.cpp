#include "dashboards/tensorboard.h"

#include "base/text.h"
#include "dashboards/event_file.h"
#include "dashboards/folder.h"
#include "dashboards/protobuf.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace nearfar {
namespace {

// Numbers of fields and values of enumerations: tensorboard/compat/proto/{event,summary,tensor}.proto and
// tensorboard/plugins/hparams/{api,plugin_data}.proto.
constexpr int kFloat = 1, kString = 7;                                 // DataType
constexpr int kDataClassTensor = 2;                                    // DataClass
constexpr int kTextInfo = 1, kBoolInfo = 2, kNumberInfo = 3;           // hparams.DataType
constexpr int kUnknown = 0, kSuccess = 1, kFailure = 2, kRunning = 3;  // hparams.Status
constexpr std::size_t kMostChoices = 50;                               // of a factor that the tab lists to choose from

double seconds_of(std::int64_t unix_ms) { return static_cast<double>(unix_ms) / 1000; }

/// A file of one run: begins with the format's version.
class EventFile {
 public:
  explicit EventFile(double wall_seconds) : first_(wall_seconds) {
    records_ += event_record(ProtoMessage().real(1, wall_seconds).text(3, "brain.Event:2").bytes());
  }
  void summary(double wall_seconds, std::int64_t step, const ProtoMessage& value) {
    ProtoMessage event;
    event.real(1, wall_seconds).number(2, step).message(5, ProtoMessage().message(1, value));
    records_ += event_record(event.bytes());
  }
  void scalar(double wall_seconds, std::int64_t step, const std::string& tag, double value) {
    summary(wall_seconds, step, ProtoMessage().text(1, tag).single(2, static_cast<float>(value)));
  }
  void write(const std::filesystem::path& folder) const {
    // TensorBoard wants ".tfevents." in the name, and reads the files of a run in their names' order.
    write_export_file(folder / fmt::format("events.out.tfevents.{}.nearfar", static_cast<std::int64_t>(first_)),
                      records_);
  }

 private:
  double first_;
  std::string records_;
};

ProtoMessage plugin_summary(const std::string& tag, const std::string& plugin, const std::string& content,
                            const ProtoMessage& tensor) {
  ProtoMessage metadata;
  metadata.message(1, ProtoMessage().text(1, plugin).text(2, content)).number(4, kDataClassTensor);
  return ProtoMessage().text(1, tag).message(8, tensor).message(9, metadata);
}

/// The hparams plugin's data lie in the metadata; the tensor is float32 of shape [0].
ProtoMessage hparams_summary(const std::string& tag, const ProtoMessage& content) {
  ProtoMessage empty;
  empty.number(1, kFloat).message(2, ProtoMessage().message(2, ProtoMessage().number(1, 0)));
  return plugin_summary("_hparams_/" + tag, "hparams", content.bytes(), empty);
}

/// A Markdown block of code: nothing in it is markup, whatever a label or a message says.
ProtoMessage text_summary(const std::string& tag, const std::vector<std::string>& lines) {
  std::string markdown;
  for (const std::string& line : lines) {
    std::string flat = line;
    std::ranges::replace_if(
        flat, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    markdown += "    " + flat + "\n";
  }
  ProtoMessage tensor;
  tensor.number(1, kString).message(2, ProtoMessage()).text(8, markdown);
  return plugin_summary(tag, "text", "", tensor);
}

/// google.protobuf.Value.
ProtoMessage value_message(const ParamValue& value) {
  ProtoMessage message;
  if (const auto* text = std::get_if<std::string>(&value)) return message.text(3, *text);
  if (const auto* boolean = std::get_if<bool>(&value)) return message.number(4, *boolean ? 1 : 0);
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return message.real(2, static_cast<double>(*whole));
  return message.real(2, std::get<double>(value));
}

int info_type(const ParamValue& value) {
  if (std::holds_alternative<std::string>(value)) return kTextInfo;
  return std::holds_alternative<bool>(value) ? kBoolInfo : kNumberInfo;
}

/// What the tab shows as columns of a cell.
std::map<std::string, ParamValue> hparams_of(const ExportedCell& cell) {
  std::map<std::string, ParamValue> hparams;
  for (const Factor& factor : cell.details.factors) hparams[factor.name] = factor.value;
  const CellRecord& record = cell.details.record;
  hparams["cell"] = std::string(kind_name(record.kind));
  hparams["benchmark"] = record.benchmark;
  hparams["architecture"] = record.architecture;
  hparams["seed"] = record.seed;
  hparams["partial"] = cell.is_partial;
  return hparams;
}

int session_status(CellState state) {
  if (state == CellState::ok) return kSuccess;
  if (state == CellState::running) return kRunning;
  return is_failure(state) ? kFailure : kUnknown;
}

std::vector<std::string> about(const ExportedCell& cell) {
  const CellRecord& record = cell.details.record;
  const RunStatus& run = cell.details.runs.back();
  std::vector<std::string> lines{
      "label       " + record.label,     "cell        " + record.key,
      "state       " + state_text(cell), "flags       " + cell.flags,
      "experiment  " + cell.experiment,  fmt::format("benchmark   {}, data {}", record.benchmark, record.data_hash)};
  if (cell.is_partial) lines.insert(lines.begin(), "PARTIAL     made from a part of the images: not comparable");
  lines.push_back(
      fmt::format("loss        {} {} {}", record.training, cell.training_version, cell.training_source_hash));
  if (record.kind == CellKind::eval) {
    lines.push_back(fmt::format("scored by   {} {} {}", record.postprocessor, cell.postprocessor_version,
                                cell.postprocessor_source_hash));
  }
  lines.push_back(fmt::format("run         {} attempt {} on {} with {} threads, nearfar {}, numerics {}", run.uid,
                              run.attempt, run.context.device, run.context.threads, run.context.engine_version,
                              run.context.numerics));
  for (const LeaderboardPlace& place : cell.places) {
    lines.push_back(fmt::format("rank        {} in protocol {}: {}",
                                place.rank ? std::to_string(*place.rank) : "none (" + place.unranked_reason + ")",
                                place.protocol, row_title(place.row)));
  }
  return lines;
}

void write_cell(const ExportedCell& cell, const std::filesystem::path& folder) {
  const double begin = seconds_of(cell.started_unix_ms);
  const double end = seconds_of(std::max(cell.started_unix_ms, cell.finished_unix_ms));
  EventFile file(begin);
  ProtoMessage start;
  for (const auto& [name, value] : hparams_of(cell))
    start.message(1, ProtoMessage().text(1, name).message(2, value_message(value)));
  start.text(4, cell.name).real(5, begin);
  file.summary(begin, 0, hparams_summary("session_start_info", ProtoMessage().message(3, start)));
  file.summary(begin, 0, text_summary("about", about(cell)));
  const std::int64_t last = last_step(cell);
  std::vector<CurvePoint> curve = cell.details.outcome.curve;
  std::ranges::stable_sort(curve, {}, &CurvePoint::step);
  for (const CurvePoint& point : curve)
    file.scalar(seconds_of(time_of_step(cell, point.step, last)), point.step, "curves/" + point.name, point.value);
  for (const MetricRow& number : cell.numbers) file.scalar(end, last, number_name(number), number.value);
  for (const MeasureRow& measure : cell.details.outcome.measures)
    file.scalar(end, last, "measures/" + measure_name(measure), measure.value);
  ProtoMessage finish;
  finish.number(1, session_status(cell.details.status.state)).real(2, end);
  file.summary(end, last, hparams_summary("session_end_info", ProtoMessage().message(4, finish)));
  file.write(folder);
}

/// What the columns of the HPARAMS tab are; without it the tab guesses them from the runs that it has read so far.
class Columns {
 public:
  void add(const ExportedCell& cell) {
    for (auto& [name, value] : hparams_of(cell)) factors_[name].insert(std::move(value));
    for (const MetricRow& number : cell.numbers) {
      if (number.dataset == "mean" || number.metric == "accuracy") metrics_.insert(number_name(number));
    }
  }
  ProtoMessage experiment() const {
    ProtoMessage experiment;
    experiment.text(1, "Cells of nearfar. Numbers are fractions.");
    for (const auto& [name, values] : factors_) experiment.message(4, factor_info(name, values));
    for (const std::string& metric : metrics_)
      experiment.message(5, ProtoMessage().message(1, ProtoMessage().text(2, metric)));
    return experiment;
  }

 private:
  static ProtoMessage factor_info(const std::string& name, const std::set<ParamValue>& values) {
    ProtoMessage info;
    const int type = info_type(*values.begin());
    const bool one_type = std::ranges::all_of(values, [&](const ParamValue& v) { return info_type(v) == type; });
    info.text(1, name);
    if (one_type) info.number(4, type);
    if (one_type && values.size() <= kMostChoices) {
      ProtoMessage list;
      for (const ParamValue& value : values) list.message(1, value_message(value));
      info.message(5, list);
    }
    return info.number(7, values.size() > 1 ? 1 : 0);
  }

  std::map<std::string, std::set<ParamValue>> factors_;
  std::set<std::string> metrics_;
};

}  // namespace

void export_tensorboard(const ExportSource& source, const std::filesystem::path& folder) {
  Columns columns;
  std::int64_t first = 0;
  std::set<std::string> taken;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const ExportedCell cell = source.cell(i);
    std::string name = file_name_of(cell.name);
    if (!taken.insert(name).second) name = fmt::format("{}_{}", name, cell.details.status.key);
    write_cell(cell, folder / name);
    columns.add(cell);
    if (first == 0 || cell.started_unix_ms < first) first = cell.started_unix_ms;
  }
  EventFile file(seconds_of(first));
  file.summary(seconds_of(first), 0, hparams_summary("experiment", ProtoMessage().message(2, columns.experiment())));
  file.write(folder);
}

}  // namespace nearfar
