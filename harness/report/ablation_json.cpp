#include "report/ablation_forms.h"
#include "report/ablation_text.h"

#include <nlohmann/json.hpp>

namespace nearfar {
namespace {

using Json = nlohmann::ordered_json;

Json number_json(const std::optional<MeanStd>& number) {
  if (!number) return nullptr;
  return {{"mean", number->mean}, {"std", number->std}, {"seeds", number->n}};
}

Json settings_json(const AblationPanel& panel, const AblationRow& row) {
  Json settings = Json::object();
  for (std::size_t axis = 0; axis < panel.axes.size(); ++axis)
    settings[panel.axes[axis].name] = panel.axes[axis].values[row.levels[axis]];
  return settings;
}

Json row_json(const Ablation& ablation, const AblationPanel& panel, const AblationRow& row) {
  Json numbers = Json::object();
  for (std::size_t metric = 0; metric < ablation.metrics.size(); ++metric) {
    Json one = number_json(row.numbers[metric]);
    if (one.is_object()) one["by_seed"] = row.by_seed[metric];
    numbers[ablation.metrics[metric].name] = std::move(one);
  }
  return {{"settings", settings_json(panel, row)},
          {"changes", row.changes},
          {"seeds", row.seeds},
          {"flags", row.flags},
          {"numbers", std::move(numbers)}};
}

Json effect_json(const Ablation& ablation, const AblationPanel& panel, const AblationEffect& effect) {
  const Difference& difference = effect.difference;
  return {{"metric", ablation.metrics[effect.metric].name},
          {"axis", panel.axes[effect.axis].name},
          {"from", effect.from},
          {"to", effect.to},
          {"also_differ", effect.also_differ},
          {"seeds", effect.seeds},
          {"baseline", effect.a},
          {"value", effect.b},
          {"difference", difference.estimate},
          {"low", difference.low},
          {"high", difference.high},
          {"p", difference.p},
          {"adjusted_p", effect.adjusted_p},
          {"real", effect.real},
          {"seed_variance", difference.seed_variance},
          {"image_variance", difference.image_variance},
          {"in_words", effect_text(ablation, effect)}};
}

Json importance_json(const Ablation& ablation, const AblationPanel& panel, const AblationImportance& importance) {
  const VarianceShares& shares = importance.shares;
  Json axes = Json::array();
  for (std::size_t axis = 0; axis < panel.axes.size(); ++axis) {
    axes.push_back({{"axis", panel.axes[axis].name},
                    {"share", shares.shares[axis]},
                    {"low", importance.low.empty() ? Json(nullptr) : Json(importance.low[axis])},
                    {"high", importance.high.empty() ? Json(nullptr) : Json(importance.high[axis])},
                    {"entered_as", !importance.line[axis] ? "levels"
                                   : importance.log[axis] ? "log line"
                                                          : "line"}});
  }
  return {{"metric", ablation.metrics[importance.metric].name},
          {"settings", importance.rows},
          {"sums_of_squares", shares.balanced ? "balanced" : "type II"},
          {"axes", std::move(axes)},
          {"interaction", shares.has_products ? Json(shares.interaction) : Json(nullptr)},
          {"residual", shares.residual},
          {"not_told_apart", shares.shared},
          {"seeds", shares.seeds},
          {"total", shares.total}};
}

Json grid_json(const Ablation& ablation, const AblationPanel& panel, const AblationGrid& grid) {
  const AblationAxis &x = panel.axes[grid.x], &y = panel.axes[grid.y];
  Json rows = Json::array();
  for (std::size_t row = 0; row < y.values.size(); ++row) {
    Json cells = Json::array();
    for (std::size_t column = 0; column < x.values.size(); ++column)
      cells.push_back(number_json(grid.cells[row * x.values.size() + column]));
    rows.push_back(std::move(cells));
  }
  return {{"metric", ablation.metrics[grid.metric].name},
          {"x", {{"axis", x.name}, {"values", x.values}}},
          {"y", {{"axis", y.name}, {"values", y.values}}},
          {"cells", std::move(rows)}};
}

Json panel_json(const Ablation& ablation, const AblationPanel& panel) {
  Json axes = Json::array(), rows = Json::array(), effects = Json::array(), importance = Json::array(),
       grids = Json::array();
  for (const AblationAxis& axis : panel.axes)
    axes.push_back({{"name", axis.name}, {"factors", axis.factors}, {"values", axis.values}});
  for (const AblationRow& row : panel.rows) rows.push_back(row_json(ablation, panel, row));
  for (const AblationEffect& effect : panel.effects) effects.push_back(effect_json(ablation, panel, effect));
  for (const AblationImportance& one : panel.importance) importance.push_back(importance_json(ablation, panel, one));
  for (const AblationGrid& grid : panel.grids) grids.push_back(grid_json(ablation, panel, grid));
  return {{"benchmark", panel.benchmark},
          {"data_hash", panel.data_hash},
          {"protocol", panel.protocol},
          {"compares", panel.of_methods ? "methods" : "settings"},
          {"loss", panel.loss},
          {"model", panel.model},
          {"postprocessor", panel.postprocessor},
          {"axes", std::move(axes)},
          {"baseline", {{"settings", settings_json(panel, panel.rows.front())}, {"from", panel.baseline_from}}},
          {"effects", std::move(effects)},
          {"importance", std::move(importance)},
          {"grids", std::move(grids)},
          {"rows", std::move(rows)},
          {"notes", panel.notes}};
}

}  // namespace

std::string ablation_json(const Ablation& ablation) {
  Json panels = Json::array();
  for (const AblationPanel& panel : ablation.panels) panels.push_back(panel_json(ablation, panel));
  Json metrics = Json::array();
  for (const AblationMetric& metric : ablation.metrics) metrics.push_back(metric.name);
  const Json document = {{"experiment", ablation.experiment}, {"metrics", std::move(metrics)},
                         {"alpha", ablation.alpha},           {"resamples", ablation.resamples},
                         {"panels", std::move(panels)},       {"left_out", ablation.left_out}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace nearfar
