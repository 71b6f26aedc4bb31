/// Plain forms of an ablation: terminal, Markdown, CSV, LaTeX.
#include "base/csv.h"
#include "base/text.h"
#include "report/ablation_forms.h"
#include "report/ablation_text.h"
#include "report/escape.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace nearfar {
namespace {

using Lines = std::vector<std::vector<std::string>>;

/// All numbers of a panel: a column an axis, then the metrics.
Lines number_lines(const Ablation& ablation, const AblationPanel& panel) {
  Lines lines(1);
  for (const AblationAxis& axis : panel.axes) lines[0].push_back(axis.name);
  for (const AblationMetric& metric : ablation.metrics) lines[0].push_back(metric.title);
  lines[0].emplace_back("seeds");
  for (const AblationRow& row : panel.rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (std::size_t axis = 0; axis < panel.axes.size(); ++axis)
      line.push_back(panel.axes[axis].values[row.levels[axis]]);
    for (const auto& number : row.numbers) line.push_back(number_text_of(number));
    line.push_back(fmt::format("{}{}", row.seeds.size(), row.flags.empty() ? "" : "; " + row.flags));
  }
  return lines;
}

std::string markdown_table(const Lines& lines, std::size_t texts) {
  std::string text;
  for (std::size_t row = 0; row < lines.size(); ++row) {
    for (const std::string& cell : lines[row]) text += "| " + markdown_cell(cell) + " ";
    text += "|\n";
    if (row > 0) continue;
    for (std::size_t column = 0; column < lines[0].size(); ++column) text += column < texts ? "|:---" : "|---:";
    text += "|\n";
  }
  return text + "\n";
}

std::string panel_text(const Ablation& ablation, const AblationPanel& panel) {
  std::string text = fmt::format("{}\nswept     {}\nbaseline  {}\n\n", panel_title(panel), swept_text(panel),
                                 baseline_text(ablation, panel));
  for (const AblationEffect& effect : panel.effects)
    text += fmt::format("{}: {}\n", change_text(panel, effect), effect_text(ablation, effect));
  if (panel.effects.empty()) text += "No finished setting differs from the baseline in one axis alone.\n";
  text += "\n";
  for (const AblationImportance& one : panel.importance)
    text += fmt::format("importance for {}\n", importance_text(ablation, panel, one));
  if (!panel.importance.empty()) text += "\n";
  Lines lines = number_lines(ablation, panel);
  std::vector<bool> right(lines[0].size(), false);
  for (std::size_t column = panel.axes.size(); column < right.size(); ++column) right[column] = true;
  text += table(lines, right);
  if (!text.ends_with('\n')) text += '\n';
  for (const std::string& note : panel.notes) text += note + ".\n";
  return text;
}

std::string panel_markdown(const Ablation& ablation, const AblationPanel& panel) {
  std::string text = fmt::format("### {}\n\nSwept: {}.\n\nBaseline: {}.\n\n", markdown_cell(panel_title(panel)),
                                 markdown_cell(swept_text(panel)), markdown_cell(baseline_text(ablation, panel)));
  Lines words{{"change", "in words", "verdict"}};
  for (const AblationEffect& effect : panel.effects)
    words.push_back({change_text(panel, effect), effect_text(ablation, effect), verdict_text(ablation, effect)});
  if (words.size() > 1) text += markdown_table(words, 3);
  for (const AblationImportance& one : panel.importance)
    text += fmt::format("- Importance for {}.\n", markdown_cell(importance_text(ablation, panel, one)));
  if (!panel.importance.empty()) text += "\n";
  text += markdown_table(number_lines(ablation, panel), panel.axes.size());
  for (const std::string& note : panel.notes) text += "- " + markdown_cell(note) + ".\n";
  return panel.notes.empty() ? text : text + "\n";
}

/// With the signs of mathematics.
std::string latex_points(double fraction) { return "$" + replace_all(points_text(fraction), "−", "-") + "$"; }

std::string panel_latex(const Ablation& ablation, const AblationPanel& panel) {
  std::string columns, head, rules;
  for (std::size_t metric = 0; metric < ablation.metrics.size(); ++metric) {
    columns += "rlr";
    head += fmt::format(" & \\multicolumn{{3}}{{c}}{{{} {}}}", latex_text(ablation.metrics[metric].title),
                        ablation.metrics[metric].lower_is_better ? "$\\downarrow$" : "$\\uparrow$");
    rules += fmt::format(" \\cmidrule(lr){{{}-{}}}", 3 + 3 * metric, 5 + 3 * metric);
  }
  std::string text = fmt::format(
      "\\begin{{table}}\n  \\centering\n  \\begin{{tabular}}{{ll{}}}\n    \\toprule\n    &{} "
      "\\\\\n   {}\n    Axis & Change",
      columns, head, rules);
  for (std::size_t metric = 0; metric < ablation.metrics.size(); ++metric) text += " & $\\Delta$ & interval & $p$";
  text += " \\\\\n    \\midrule\n";
  for (std::size_t row = 1; row < panel.rows.size(); ++row) {
    std::string line, name;
    for (std::size_t metric = 0; metric < ablation.metrics.size(); ++metric) {
      const auto effect = std::ranges::find_if(
          panel.effects, [&](const AblationEffect& one) { return one.row == row && one.metric == metric; });
      if (effect == panel.effects.end()) {
        line += " & -- & & ";
        continue;
      }
      name = fmt::format("{} & {} $\\to$ {}", latex_text(panel.axes[effect->axis].name), latex_text(effect->from),
                         latex_text(effect->to));
      const std::string p = effect->adjusted_p < 0.001 ? "$<$0.001" : fmt::format("{:.3f}", effect->adjusted_p);
      line += fmt::format(" & {} & $[{}, {}]$ & {}", latex_points(effect->difference.estimate),
                          replace_all(points_text(effect->difference.low), "−", "-"),
                          replace_all(points_text(effect->difference.high), "−", "-"),
                          effect->real ? "\\textbf{" + p + "}" : p);
    }
    if (!name.empty()) text += "    " + name + line + " \\\\\n";
  }
  return text + fmt::format(
                    "    \\bottomrule\n  \\end{{tabular}}\n  \\caption{{{}: percent points against the baseline {}; "
                    "{:.3g}\\,\\% intervals; $p$ after Holm, bold where below {:.3g}.}}\n\\end{{table}}\n",
                    latex_text(panel_title(panel)),
                    // pdflatex knows the sign in math mode only
                    replace_all(latex_text(baseline_text(ablation, panel)), "±", "$\\pm$"), 100 * (1 - ablation.alpha),
                    ablation.alpha);
}

}  // namespace

std::string ablation_text(const Ablation& ablation) {
  std::string text;
  for (const AblationPanel& panel : ablation.panels) text += panel_text(ablation, panel) + "\n";
  for (const std::string& sentence : ablation.left_out) text += fmt::format("Left out: {}.\n", sentence);
  for (const std::string& note : reading_notes(ablation)) text += note + "\n";
  return text;
}

std::string ablation_markdown(const Ablation& ablation) {
  std::string text = fmt::format("## Ablation of {}\n\n", markdown_cell(ablation.experiment));
  for (const AblationPanel& panel : ablation.panels) text += panel_markdown(ablation, panel);
  for (const std::string& sentence : ablation.left_out)
    text += fmt::format("- Left out: {}.\n", markdown_cell(sentence));
  for (const std::string& note : reading_notes(ablation)) text += "- " + markdown_cell(note) + "\n";
  return text;
}

std::string ablation_csv(const Ablation& ablation) {
  std::string csv =
      "benchmark,protocol,loss,model,postprocessor,metric,axis,from,to,baseline,value,difference,low,high,p,adjusted_p,"
      "real,seeds\n";
  for (const AblationPanel& panel : ablation.panels) {
    for (const AblationEffect& effect : panel.effects) {
      for (const std::string* field :
           {&panel.benchmark, &panel.protocol, &panel.loss, &panel.model, &panel.postprocessor,
            &ablation.metrics[effect.metric].name, &panel.axes[effect.axis].name})
        csv += csv_field(*field) + ",";
      const bool numeric = !panel.axes[effect.axis].numbers.empty();  // "-1" is no formula
      for (const std::string* value : {&effect.from, &effect.to}) csv += (numeric ? *value : csv_field(*value)) + ",";
      const Difference& difference = effect.difference;
      csv += fmt::format("{:.4f},{:.4f},{:.4f},{:.4f},{:.4f},{:.6f},{:.6f},{},{}\n", 100 * effect.a, 100 * effect.b,
                         100 * difference.estimate, 100 * difference.low, 100 * difference.high, difference.p,
                         effect.adjusted_p, effect.real, effect.seeds.size());
    }
  }
  return csv;
}

std::string ablation_latex(const Ablation& ablation) {
  std::string text = "% \\usepackage{booktabs}\n";
  for (const AblationPanel& panel : ablation.panels) {
    if (!panel.effects.empty()) text += "\n" + panel_latex(ablation, panel);
  }
  for (const std::string& sentence : ablation.left_out)
    text += "% left out: " + replace_all(sentence, "\n", " ") + "\n";
  return text;
}

}  // namespace nearfar
