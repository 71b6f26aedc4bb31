#include "base/text.h"
#include "report/compare.h"
#include "report/compare_pairs.h"
#include "report/order.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace nearfar {
namespace {
using nlohmann::json;

constexpr std::size_t kFewestSets = 6;  // with five, all of them agreeing is not yet 5 %

std::string_view title_of(std::string_view key, const auto& list) {
  const std::size_t place = place_of(key, list);
  return place < std::size(list) ? list[place].title : key;
}

std::string p_text(double p) { return p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", p); }

std::string verdict(const ComparedNumber& number) {
  if (number.dataset != "mean" || number.metric != "auroc") return "";
  if (!number.significant) return "not shown to differ";
  return number.difference.estimate > 0 ? "B is better" : "B is worse";
}

std::string pair_text(const ComparedPair& pair, double alpha) {
  std::vector<std::string> seeds;
  for (const std::int64_t seed : pair.seeds) seeds.push_back(std::to_string(seed));
  std::string text = fmt::format("{}, protocol {}, seeds {}{}\nA  {}\nB  {}\n\n", pair.benchmark, pair.protocol,
                                 join(seeds, ", "), pair.flags.empty() ? "" : "; " + replace_all(pair.flags, ";", ", "),
                                 row_label(pair.a), row_label(pair.b));
  if (!pair.also_differ.empty()) text += fmt::format("They also differ in {}.\n\n", join(pair.also_differ, "; "));
  std::vector<std::vector<std::string>> rows{
      {"", "", "A", "B", "B - A", fmt::format("{:.3g} % interval", 100 * (1 - alpha)), "p", ""}};
  for (const ComparedNumber& number : pair.numbers) {
    const Difference& difference = number.difference;
    rows.push_back({fmt::format("{} {}", title_of(number.group, kGroups), number.dataset),
                    std::string(title_of(number.metric, kMetrics)), fmt::format("{:.2f}", 100 * number.a),
                    fmt::format("{:.2f}", 100 * number.b), fmt::format("{:+.2f}", 100 * difference.estimate),
                    fmt::format("[{:+.2f}, {:+.2f}]", 100 * difference.low, 100 * difference.high),
                    p_text(number.adjusted_p), verdict(number)});
  }
  text += table(rows, {false, false, true, true, true, true, true, false});
  if (pair.sets < kFewestSets) {
    text += fmt::format("Over data sets: {} are too few for a test (at least {}).\n", pair.sets, kFewestSets);
  } else {
    text += fmt::format("Over {} data sets: Wilcoxon's signed ranks, p {}.\n", pair.sets, p_text(pair.over_sets.p));
  }
  if (pair.seeds.size() == 1)
    text += "One seed: the intervals are those of other images, and say nothing of other seeds.\n";
  return text;
}

json name_json(const RowName& name) {
  return {{"training", name.training},           {"training_params", name.training_params},
          {"architecture", name.architecture},   {"recipe", name.recipe},
          {"postprocessor", name.postprocessor}, {"postprocessor_params", name.postprocessor_params}};
}

}  // namespace

std::string comparison_text(const Comparison& comparison) {
  std::string text;
  for (const ComparedPair& pair : comparison.pairs) text += pair_text(pair, comparison.alpha) + "\n";
  for (const std::string& sentence : comparison.left_out) text += fmt::format("Left out: {}.\n", sentence);
  return text + fmt::format(
                    "Percent points; A is the baseline. Intervals hold for other seeds and other images of the same "
                    "kind: AUROC's after DeLong, the others by {} resamples of the images, with the spread of the "
                    "seeds. p of near and far mean AUROC is adjusted after Holm; only these decide.\n",
                    comparison.resamples);
}

std::string comparison_json(const Comparison& comparison) {
  json pairs = json::array();
  for (const ComparedPair& pair : comparison.pairs) {
    json numbers = json::array();
    for (const ComparedNumber& number : pair.numbers) {
      const Difference& difference = number.difference;
      numbers.push_back({{"group", number.group},
                         {"dataset", number.dataset},
                         {"metric", number.metric},
                         {"a", number.a},
                         {"b", number.b},
                         {"difference", difference.estimate},
                         {"low", difference.low},
                         {"high", difference.high},
                         {"p", difference.p},
                         {"adjusted_p", number.adjusted_p},
                         {"significant", number.significant},
                         {"seed_variance", difference.seed_variance},
                         {"image_variance", difference.image_variance}});
    }
    pairs.push_back({{"benchmark", pair.benchmark},
                     {"data_hash", pair.data_hash},
                     {"protocol", pair.protocol},
                     {"a", name_json(pair.a)},
                     {"b", name_json(pair.b)},
                     {"also_differ", pair.also_differ},
                     {"seeds", pair.seeds},
                     {"flags", pair.flags},
                     {"numbers", numbers},
                     {"wilcoxon", {{"sets", pair.sets}, {"w", pair.over_sets.w}, {"p", pair.over_sets.p}}}});
  }
  return json{{"alpha", comparison.alpha},
              {"resamples", comparison.resamples},
              {"regression", comparison.regression()},
              {"left_out", comparison.left_out},
              {"pairs", pairs}}
      .dump(2);
}

}  // namespace nearfar
