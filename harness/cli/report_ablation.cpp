/// `nearfar report ablation EXPERIMENT`: its options, and what a sweep of the experiment starts from.
#include "base/error.h"
#include "base/files.h"
#include "base/locations.h"
#include "base/text.h"
#include "cli/options_parts.h"
#include "cli/report_target.h"
#include "cli/scores.h"
#include "config/experiment.h"
#include "report/ablation.h"
#include "report/ablation_figures.h"
#include "report/ablation_forms.h"
#include "report/results.h"
#include "store/address.h"
#include "store/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <utility>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

struct AblationArguments {
  DatabaseArguments database;
  std::string experiment, benchmark, protocol;
  std::vector<std::string> baseline, metrics, axes;
  std::string html, markdown, csv, json, latex;
  fs::path svg;
  double alpha = 0.05;
  int resamples = 400;
};

/// Names of axes that some point sets.
std::set<std::string> swept_keys(const Experiment& experiment) {
  std::set<std::string> keys;
  for (const Point& point : experiment.points) {
    for (const Factor& setting : point.settings) keys.insert(setting.name);
  }
  return keys;
}

/// Of the point that sets nothing: what every swept key is there, for one loss.
DeclaredBaseline declared_for(const Experiment& base, const LossChoice& loss, const std::set<std::string>& keys) {
  DeclaredBaseline declared{.loss = loss.name};
  const std::string own = "loss." + loss.name + ".", own_train = own + "train.";
  for (const RecipeField& field : recipe_fields(loss.recipe)) {
    if (keys.contains("train." + field.name) || keys.contains(own_train + field.name))
      declared.values.push_back({"train." + field.name, field.value});
  }
  for (const auto& [name, value] : loss.params) {
    if (keys.contains(own + name)) declared.values.push_back({own + name, value});
  }
  for (const PostprocessorChoice& postprocessor : base.postprocessors) {
    for (const auto& [name, value] : postprocessor.params) {
      const std::string key = fmt::format("postprocessor.{}.{}", postprocessor.name, name);
      if (keys.contains(key)) declared.values.push_back({key, value});
    }
  }
  return declared;
}

/// Where the sweep makes one change at a time: what it starts from.
std::vector<DeclaredBaseline> declared_baseline(const Experiment& experiment) {
  const auto unchanged =
      std::ranges::find_if(experiment.points, [](const Point& point) { return point.settings.empty(); });
  if (experiment.sweep != "ablation" || unchanged == experiment.points.end()) return {};
  const Experiment& base = unchanged->experiment;
  const std::set<std::string> keys = swept_keys(experiment);
  std::vector<DeclaredBaseline> declared;
  for (const LossChoice& loss : base.losses) declared.push_back(declared_for(base, loss, keys));
  DeclaredBaseline& all = declared.emplace_back();
  all.values.push_back({"recipe", base.recipe});
  if (!base.losses.empty()) all.values.push_back({"loss", base.losses.front().name});
  if (!base.networks.empty()) all.values.push_back({"model", base.networks.front()});
  if (!base.postprocessors.empty()) all.values.push_back({"postprocessor", base.postprocessors.front().name});
  return declared;
}

/// Error(config) naming those that there are.
ExperimentRecord find_experiment(const Session& session, const std::string& name) {
  if (std::optional<ExperimentRecord> found = session.results().experiment(name)) return std::move(*found);
  const std::vector<std::string> names = session.results().experiments();
  throw Error(ErrorKind::config, names.empty()
                                     ? fmt::format("{} has no experiments yet; run one first", session.name())
                                     : fmt::format("there is no experiment '{}' in {}{}; there are: {}", name,
                                                   session.name(), suggestion(name, names), join(names, ", ")));
}

AblationRequest request_of(const AblationArguments& arguments, const ExperimentRecord& record) {
  const auto given = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
  AblationRequest request{.baseline = arguments.baseline,
                          .metrics = arguments.metrics,
                          .grid_axes = arguments.axes,
                          .filter = {.experiment = arguments.experiment,
                                     .benchmark = given(arguments.benchmark),
                                     .protocol = given(arguments.protocol)},
                          .alpha = arguments.alpha,
                          .resamples = arguments.resamples};
  try {
    const Experiment experiment = load_composed_experiment(record.composed, record.profile);
    request.declared = declared_baseline(experiment);
    request.drawn = experiment.sweep == "random";
  } catch (const Error&) {  // written by another version: its results say what varies, too
  }
  return request;
}

/// FIGURE.svg and FIGURE.csv of all figures; says what it wrote.
void put_figures(const Ablation& ablation, const fs::path& folder) {
  for (std::size_t panel = 0; panel < ablation.panels.size(); ++panel) {
    for (const plot::Figure& figure : ablation_figures(ablation, panel)) {
      write_file_atomic(folder / (figure.id + ".svg"), figure.svg);
      write_file_atomic(folder / (figure.id + ".csv"), figure.csv);
      fmt::print(stderr, "{}\n", (folder / (figure.id + ".svg")).string());
    }
  }
}

int report_ablation(const AblationArguments& arguments) {
  const Session session = Session::open_read_only(database_of(arguments.database));
  const ExperimentRecord record = find_experiment(session, arguments.experiment);
  const AblationRequest request = request_of(arguments, record);
  const Ablation ablation =
      make_ablation(load_results(session.results(), request.filter), request,
                    [&](int, const ResultSubject& subject) { return read_scores(session, subject.cell_key); });
  using Form = std::function<std::string()>;
  const std::pair<const std::string&, Form> forms[] = {
      {arguments.csv, [&] { return ablation_csv(ablation); }},
      {arguments.markdown, [&] { return ablation_markdown(ablation); }},
      {arguments.latex, [&] { return ablation_latex(ablation); }},
      {arguments.json, [&] { return ablation_json(ablation); }},
      {arguments.html, [&] { return ablation_html(ablation, share() / "reports"); }}};
  bool written = false;
  for (const auto& [target, form] : forms) {
    if (target.empty()) continue;
    put_form(target, form());
    written = true;
  }
  if (!arguments.svg.empty()) put_figures(ablation, arguments.svg);
  if (!written && arguments.svg.empty()) fmt::print("{}", ablation_text(ablation));
  return 0;
}

}  // namespace

Action declare_report_ablation(CLI::App& verb) {
  const auto arguments = std::make_shared<AblationArguments>();
  verb.add_option("experiment", arguments->experiment, "name of an experiment with a sweep")->required();
  verb.add_option("--baseline", arguments->baseline,
                  "key=value: what is compared with; default: what the sweep starts from, else what is most common");
  verb.add_option("--metric", arguments->metrics,
                  "near.auroc, far.fpr95, …; may be repeated (default near.auroc and far.auroc)");
  verb.add_option("--axes", arguments->axes, "the two axes of the grid: A,B")->delimiter(',');
  verb.add_option("--benchmark", arguments->benchmark, "only this benchmark");
  verb.add_option("--protocol", arguments->protocol, "only this protocol");
  verb.add_option("--alpha", arguments->alpha, "1 - alpha is the level of intervals, and of what is called real")
      ->check(CLI::Range(1e-6, 0.5))
      ->capture_default_str();
  verb.add_option("--resamples", arguments->resamples, "of the images, for metrics other than AUROC")
      ->check(CLI::Range(10, 100'000))
      ->capture_default_str();
  verb.add_option("--html", arguments->html, "file, or - for stdout");
  verb.add_option("--markdown", arguments->markdown, "file, or - for stdout");
  verb.add_option("--csv", arguments->csv, "file, or - for stdout");
  verb.add_option("--latex", arguments->latex, "file, or - for stdout: tables for a paper (booktabs)");
  verb.add_option("--svg", arguments->svg, "folder for the figures: NAME.svg, and NAME.csv with what is drawn");
  const JsonForm json(verb);
  add_database(verb, arguments->database);
  return [arguments, json] {
    arguments->json = json.target();
    return report_ablation(*arguments);
  };
}

}  // namespace nearfar
