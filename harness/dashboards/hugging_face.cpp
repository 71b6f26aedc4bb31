#include "dashboards/hugging_face.h"

#include "base/text.h"
#include "dashboards/folder.h"
#include "dashboards/yaml.h"
#include "report/order.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// One model with what was measured on it.
struct Model {
  std::string name;
  std::vector<ExportedCell> cells;  ///< training, accuracy, evaluations; in planned order
  std::vector<const ExportedCell*> evaluations() const {
    std::vector<const ExportedCell*> found;
    for (const ExportedCell& cell : cells) {
      if (cell.details.record.kind == CellKind::eval && !cell.numbers.empty()) found.push_back(&cell);
    }
    return found;
  }
};

/// Labels are "MODEL" for trainings and "MODEL POSTPROCESSOR" for what follows.
std::string model_name(const CellRecord& record) {
  const std::string& label = record.label;
  return record.kind == CellKind::train ? label : label.substr(0, label.rfind(' '));
}

std::string scored_by(const CellRecord& record) {
  if (record.postprocessor_params.empty()) return record.postprocessor;
  return fmt::format("{} ({})", record.postprocessor, replace_all(record.postprocessor_params, ";", ", "));
}

bool is_partial(const Model& model) {
  return std::ranges::any_of(model.cells, [](const ExportedCell& cell) { return cell.is_partial; });
}

/// An entry of model-index: the numbers of one evaluation on one set, or the means of one group. What tells entries
/// apart for the Hub is type of task, and data set with config, split and revision: config says protocol and method.
std::string result_yaml(const ExportedCell& cell, std::span<const MetricRow> numbers) {
  const CellRecord& record = cell.details.record;
  const MetricRow& first = numbers.front();
  const bool is_accuracy = first.group == "id";
  std::string yaml = fmt::format(
      "  - task:\n      type: {}\n      name: {}\n    dataset:\n      name: {}\n      type: {}\n      config: {}\n"
      "      split: {}\n      revision: {}\n    metrics:\n",
      yaml_text(is_accuracy ? "image-classification" : "out-of-distribution-detection"),
      yaml_text(is_accuracy ? "Image classification" : "Out-of-distribution detection"),
      yaml_text(fmt::format("{}, {} {}{}", record.benchmark, first.group, first.dataset,
                            cell.is_partial ? " (partial)" : "")),
      yaml_text(record.benchmark),
      yaml_text(is_accuracy ? first.protocol : fmt::format("{} {}", first.protocol, scored_by(record))),
      yaml_text(fmt::format("{}/{}", first.group, first.dataset)), yaml_text(record.data_hash));
  for (const MetricRow& number : numbers) {
    const auto info = std::ranges::find(kMetrics, number.metric, &MetricInfo::key);
    const std::string_view title = info == kMetrics.end() ? std::string_view(number.metric) : info->title;
    yaml += fmt::format("    - type: {}\n      value: {}\n      name: {}\n", yaml_text(number.metric),
                        yaml_number(number.value),
                        yaml_text(is_accuracy ? fmt::format("{} ({})", title, cell.details.outcome.classifier)
                                              : fmt::format("{} of {}", title, scored_by(record))));
  }
  return yaml;
}

/// Numbers of one protocol, group and set stand together.
std::string results_yaml(const ExportedCell& cell, std::set<std::string>& accuracies) {
  std::string yaml;
  const std::span<const MetricRow> numbers(cell.numbers);
  for (std::size_t begin = 0, end = 0; begin < numbers.size(); begin = end) {
    const MetricRow& first = numbers[begin];
    while (end < numbers.size() && numbers[end].protocol == first.protocol && numbers[end].group == first.group &&
           numbers[end].dataset == first.dataset)
      ++end;
    // Every evaluation has the model's accuracy: it is told once.
    if (first.group == "id" &&
        !accuracies.insert(fmt::format("{} {}", cell.details.record.data_hash, number_name(first))).second)
      continue;
    yaml += result_yaml(cell, numbers.subspan(begin, end - begin));
  }
  return yaml;
}

/// Between pipes of a table: neither a column, a line nor markup.
std::string cell_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\n' || c == '\r')
      result += ' ';
    else if (std::string_view("\\`*_{}[]<>()#+!|~&").find(c) != std::string_view::npos)
      result += std::string("\\") + c;
    else
      result += c;
  }
  return result;
}

std::string table_of(const Model& model) {
  std::string text =
      "| benchmark | protocol | scored by | group | data set | metric | % |\n|---|---|---|---|---|---|---:|\n";
  for (const ExportedCell* cell : model.evaluations()) {
    const CellRecord& record = cell->details.record;
    for (const MetricRow& number : cell->numbers) {
      text += fmt::format("| {} | {} | {} | {} | {} | {} | {:.4f} |\n", cell_text(record.benchmark),
                          cell_text(number.protocol), cell_text(scored_by(record)), cell_text(number.group),
                          cell_text(number.dataset), cell_text(number.metric), number.value * 100);
    }
  }
  return text;
}

std::string provenance_of(const Model& model) {
  std::string text = "| cell | state | key | nearfar | plugin source | flags |\n|---|---|---|---|---|---|\n";
  for (const ExportedCell& cell : model.cells) {
    const bool is_eval = cell.details.record.kind == CellKind::eval;
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", cell_text(cell.name), cell_text(state_text(cell)),
                        cell.details.record.key, cell_text(cell.details.runs.back().context.engine_version),
                        cell_text(is_eval ? cell.postprocessor_source_hash : cell.training_source_hash),
                        cell_text(cell.flags));
  }
  std::string files;
  for (const ExportedCell& cell : model.cells) {
    for (const ArtifactRow& artifact : cell.details.outcome.artifacts)
      files += fmt::format("| {} | {} | {} | {} |\n", cell_text(artifact.name), cell_text(artifact.path),
                           artifact.bytes, artifact.sha256);
  }
  if (!files.empty()) text += "\n| file | beneath the output folder | bytes | SHA-256 |\n|---|---|---:|---|\n" + files;
  return text;
}

std::string factors_of(const Model& model) {
  std::string text = "| factor | value |\n|---|---|\n";
  for (const Factor& factor : model.cells.front().details.factors) {
    if (!factor.name.starts_with("postprocessor"))
      text += fmt::format("| {} | {} |\n", cell_text(factor.name), cell_text(value_text(factor.value)));
  }
  return text;
}

std::string card(const Model& model) {
  const CellRecord& record = model.cells.front().details.record;
  std::set<std::string> metrics, accuracies;
  std::string results;
  for (const ExportedCell* cell : model.evaluations()) {
    results += results_yaml(*cell, accuracies);
    for (const MetricRow& number : cell->numbers) metrics.insert(number.metric);
  }
  std::string yaml =
      "---\nlibrary_name: nearfar\npipeline_tag: image-classification\ntags:\n- out-of-distribution-detection\n";
  yaml += fmt::format("- {}\n", yaml_text(record.training));
  if (is_partial(model)) yaml += "- partial-results\n";
  yaml += "metrics:\n";
  for (const std::string& metric : metrics) yaml += fmt::format("- {}\n", yaml_text(metric));
  yaml += fmt::format("model-index:\n- name: {}\n  results:\n{}---\n\n", yaml_text(model.name), results);
  std::string text = fmt::format("# {}\n\n", cell_text(model.name));
  if (is_partial(model))
    text += "**Partial results**: made from a part of the images. They may not be compared with whole ones.\n\n";
  text += fmt::format(
      "A {} network trained with {} (recipe {}, seed {}), and how well its scores tell known from unknown images. "
      "Scores are higher for what is out of distribution, which is the positive class. Values in this file's head are "
      "fractions, here they are percent.\n\n",
      cell_text(record.architecture), cell_text(record.training),
      record.recipe.empty() ? "unknown" : cell_text(record.recipe), record.seed);
  return yaml + text + "## Results\n\n" + table_of(model) + "\n## Training\n\n" + factors_of(model) +
         "\n## Where the numbers come from\n\n" + provenance_of(model);
}

/// One entry a mean of a group: the task names it, the notes say by what method.
std::string eval_results(const ExportedCell& cell, const std::string& hub) {
  const CellRecord& record = cell.details.record;
  std::string yaml;
  for (const MetricRow& number : cell.numbers) {
    if (number.dataset != "mean") continue;
    yaml += fmt::format("- dataset:\n    id: {}\n    task_id: {}\n  value: {}\n  date: {}\n  notes: {}\n",
                        yaml_text(fmt::format("{}/{}", hub, record.benchmark)),
                        yaml_text(fmt::format("{}-{}-{}", number.protocol, number.group, number.metric)),
                        yaml_number(number.value), yaml_text(cell.details.runs.back().finished_utc),
                        yaml_text(fmt::format("scored by {}; data {}{}", scored_by(record), record.data_hash,
                                              cell.is_partial ? "; PARTIAL: of a part of the images" : "")));
  }
  return yaml;
}

std::vector<Model> models_of(const ExportSource& source) {
  std::vector<Model> models;
  std::map<std::string, std::size_t> places;  // by key
  for (std::size_t i = 0; i < source.size(); ++i) {
    ExportedCell cell = source.cell(i);
    const auto [place, is_new] = places.try_emplace(cell.details.record.model_key, models.size());
    if (is_new) models.push_back({model_name(cell.details.record), {}});
    models[place->second].cells.push_back(std::move(cell));
  }
  std::erase_if(models, [](const Model& model) { return model.evaluations().empty(); });
  return models;
}

}  // namespace

void export_hugging_face(const ExportSource& source, const std::string& hub, const fs::path& folder) {
  const std::vector<Model> models = models_of(source);
  if (models.empty())
    throw Error(ErrorKind::nothing, "no finished evaluation is among these cells, and a model card tells of such");
  std::set<std::string> taken;
  for (const Model& model : models) {
    std::string name = file_name_of(model.name);
    if (!taken.insert(name).second)
      name = fmt::format("{}_{}", name, model.cells.front().details.record.model_key.substr(0, 12));
    write_export_file(folder / name / "README.md", card(model));
    if (hub.empty()) continue;
    for (const ExportedCell* cell : model.evaluations()) {
      const CellRecord& record = cell->details.record;
      write_export_file(folder / name / ".eval_results" /
                            fmt::format("{}_{}_{}.yaml", file_name_of(record.benchmark),
                                        file_name_of(record.postprocessor), record.key.substr(0, 12)),
                        eval_results(*cell, hub));
    }
  }
}

}  // namespace nearfar
