/// The page: values for the template in reports/. mustache escapes every {{name}}; our own style and the figures, which
/// escape what they are made of (plot/svg.h), are put in as they are.
#include "base/error.h"
#include "base/files.h"
#include "report/ablation_figures.h"
#include "report/ablation_forms.h"
#include "report/ablation_text.h"
#include "report/page_items.h"

#include <fmt/format.h>
#include <kainjow/mustache.hpp>

namespace nearfar {
namespace {

using kainjow::mustache::data;
using kainjow::mustache::mustache;

std::string verdict_class(const Ablation& ablation, const AblationEffect& effect) {
  if (!effect.real) return "open";
  const bool up = effect.difference.estimate > 0;
  return up != ablation.metrics[effect.metric].lower_is_better ? "better" : "worse";
}

data effects_item(const Ablation& ablation, const AblationPanel& panel) {
  data list(data::type::list);
  for (const AblationEffect& effect : panel.effects) {
    data item;
    item.set("change", change_text(panel, effect));
    item.set("words", effect_text(ablation, effect));
    item.set("verdict", verdict_text(ablation, effect));
    item.set("class", verdict_class(ablation, effect));
    list.push_back(item);
  }
  return list;
}

data figures_item(const Ablation& ablation, std::size_t panel) {
  data list(data::type::list);
  for (const plot::Figure& figure : ablation_figures(ablation, panel)) {
    data item;
    item.set("id", figure.id);
    item.set("svg", figure.svg);
    item.set("description", figure.description);
    list.push_back(item);
  }
  return list;
}

data rows_item(const AblationPanel& panel) {
  data rows(data::type::list);
  for (const AblationRow& row : panel.rows) {
    data item, settings(data::type::list), numbers(data::type::list);
    for (std::size_t axis = 0; axis < panel.axes.size(); ++axis) {
      data cell;
      cell.set("text", panel.axes[axis].values[row.levels[axis]]);
      cell.set("changed", row.levels[axis] != panel.rows.front().levels[axis]);
      settings.push_back(cell);
    }
    for (const auto& number : row.numbers) {
      data cell;
      cell.set("mean", number ? fmt::format("{:.2f}", 100 * number->mean) : "–");
      cell.set("std", number && number->n > 1 ? data(fmt::format("{:.2f}", 100 * number->std)) : data(false));
      numbers.push_back(cell);
    }
    item.set("settings", settings);
    item.set("numbers", numbers);
    item.set("seeds", std::to_string(row.seeds.size()));
    item.set("flags", row.flags.empty() ? data(false) : data(row.flags));
    item.set("baseline", row.changes == 0);
    rows.push_back(item);
  }
  return rows;
}

data panel_item(const Ablation& ablation, std::size_t place) {
  const AblationPanel& panel = ablation.panels[place];
  data item, axes(data::type::list), metrics(data::type::list);
  std::vector<std::string> importance;
  for (const AblationImportance& one : panel.importance) importance.push_back(importance_text(ablation, panel, one));
  for (const AblationAxis& axis : panel.axes) {
    data one;
    one.set("text", axis.name);
    axes.push_back(one);
  }
  for (const AblationMetric& metric : ablation.metrics) {
    data one;
    one.set("text", metric.title);
    metrics.push_back(one);
  }
  item.set("id", fmt::format("panel-{}", place));
  item.set("title", panel_title(panel));
  item.set("swept", swept_text(panel));
  item.set("baseline", baseline_text(ablation, panel));
  item.set("effects", effects_item(ablation, panel));
  item.set("has_effects", !panel.effects.empty());
  item.set("figures", figures_item(ablation, place));
  item.set("importance", text_items(importance));
  item.set("has_importance", !importance.empty());
  item.set("axes", axes);
  item.set("metrics", metrics);
  item.set("rows", rows_item(panel));
  item.set("notes", text_items(panel.notes));
  item.set("has_notes", !panel.notes.empty());
  return item;
}

}  // namespace

std::string ablation_html(const Ablation& ablation, const std::filesystem::path& templates) {
  const std::filesystem::path file = templates / "ablation.html.mustache";
  mustache page(read_file(file));
  if (!page.is_valid())
    throw Error(ErrorKind::config, fmt::format("{}: not a valid template: {}", file.string(), page.error_message()));
  data panels(data::type::list);
  for (std::size_t i = 0; i < ablation.panels.size(); ++i) panels.push_back(panel_item(ablation, i));
  data values;
  values.set("experiment", ablation.experiment);
  values.set("css", read_file(templates / "leaderboard.css"));
  values.set("panels", panels);
  values.set("several", ablation.panels.size() > 1);
  values.set("left_out", text_items(ablation.left_out));
  values.set("has_left_out", !ablation.left_out.empty());
  values.set("notes", text_items(reading_notes(ablation)));
  return page.render(values);
}

}  // namespace nearfar
