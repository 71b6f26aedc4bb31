/// `report cell`: one cell's page.
#include "base/error.h"
#include "base/files.h"
#include "base/locations.h"
#include "base/text.h"
#include "cli/cell_images.h"
#include "cli/figures.h"
#include "cli/options_parts.h"
#include "cli/report_target.h"
#include "cli/reproduce.h"
#include "cli/scores.h"
#include "cli/show.h"
#include "report/cell.h"
#include "report/cell_json.h"
#include "store/session.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace nearfar {
namespace {

using nlohmann::json;

struct CellArguments {
  DatabaseArguments database = {};
  std::string cell = {}, html = {}, json = {};  ///< targets: "" = not asked for, "-" = stdout
  std::filesystem::path svg = {};
  std::size_t images = 12;
  bool log_fpr = false;
};

/// Without scores, a page of what there is: cells of other kinds have none, and files may be elsewhere.
CellPage page_of(const Session& session, const CellArguments& arguments) {
  const auto details = session.results().find(arguments.cell);
  if (!details) {
    throw Error(ErrorKind::nothing,
                fmt::format("{}: there is no cell '{}'; `nearfar status` lists them", session.name(), arguments.cell));
  }
  CellPage page{
      .details = *details, .flags = flags_of(*details), .reproduce = reproduce_command(session.results(), *details)};
  Scores scores;
  if (!details->outcome.scores.empty()) {
    try {
      scores = read_scores(session, details->status.key);
    } catch (const Error& error) {
      page.notes.push_back(fmt::format("No ROC, no histograms, no images: {}.", error.what()));
    }
  }
  const bool of_model = details->record.kind == CellKind::eval && !details->record.train_key.empty();
  page.figures = cell_figures(
      details->status, scores,
      of_model ? read_curves(session.results(), details->record.train_key) : details->outcome.curve, arguments.log_fpr);
  page.confused = most_confused(scores, arguments.images);
  return page;
}

json confused_json(const std::vector<ConfusedImage>& images) {
  json list = json::array();
  for (const ConfusedImage& image : images)
    list.push_back({{"set", image.set}, {"position", image.position}, {"score", image.score}, {"file", image.where}});
  return list;
}

std::string page_json(const CellPage& page) {
  json document = details_json(page.details, page.reproduce);
  document["most_confused"] = {{"in_distribution", confused_json(page.confused.in)},
                               {"out_of_distribution", confused_json(page.confused.out)}};
  document["notes"] = page.notes;
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string confused_text(const MostConfused& confused) {
  if (confused.in.empty() && confused.out.empty()) return "";
  std::vector<std::vector<std::string>> rows{{"most confused", "image", "score", "file"}};
  for (const auto* list : {&confused.in, &confused.out}) {
    for (const ConfusedImage& image : *list)
      rows.push_back({image.set, std::to_string(image.position), fmt::format("{:.6g}", image.score), image.where});
  }
  return "\n" + table(rows, {false, true, true, false});
}

int report_cell_verb(const CellArguments& arguments) {
  const Session session = Session::open_read_only(database_of(arguments.database));
  CellPage page = page_of(session, arguments);
  add_pictures(session.results(), page.details, page.confused, page.notes);
  if (!arguments.html.empty()) put_form(arguments.html, cell_html(page, share() / "reports"));
  if (!arguments.json.empty()) put_form(arguments.json, page_json(page));
  if (!arguments.svg.empty()) write_figures(arguments.svg, page.details.status.label, page.figures);
  if (arguments.html.empty() && arguments.json.empty() && arguments.svg.empty()) {
    fmt::print("{}{}", details_text(page.details, page.reproduce), confused_text(page.confused));
    for (const std::string& note : page.notes) fmt::print("{}\n", note);
  }
  return 0;
}

}  // namespace

Action declare_report_cell(CLI::App& verb) {
  const auto cell = std::make_shared<CellArguments>();
  add_cell(verb, cell->cell);
  verb.add_option("--html", cell->html, "file, or - for stdout");
  const JsonForm json(verb);
  verb.add_option("--svg", cell->svg, "folder: every figure as CELL-FIGURE.svg and .csv");
  verb.add_option("--images", cell->images, "how many most confused images of each side")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  verb.add_flag("--log-fpr", cell->log_fpr, "ROC curves over the logarithm of the false positive rate");
  add_database(verb, cell->database);
  return [cell, json] {
    cell->json = json.target();
    return report_cell_verb(*cell);
  };
}

}  // namespace nearfar
