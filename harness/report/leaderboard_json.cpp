#include "report/leaderboard_forms.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json optional(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

const char* mark_name(Mark mark) { return mark == Mark::best ? "best" : mark == Mark::second ? "second" : ""; }

Json row_json(const LeaderboardRow& row) {
  Json numbers = Json::array();
  const auto add = [&](const LeaderboardNumber& n) {
    numbers.push_back({{"group", n.group},
                       {"dataset", n.dataset},
                       {"metric", n.metric},
                       {"mean", n.value.mean},
                       {"std", n.value.std},
                       {"seeds", n.value.n},
                       {"by_seed", n.by_seed},
                       {"half_width", optional(n.half_width())},
                       {"mark", mark_name(n.mark)}});
  };
  std::ranges::for_each(row.numbers, add);
  std::ranges::for_each(row.selective, add);
  return {{"rank", optional(row.rank)},
          {"rank_low", optional(row.rank_low)},
          {"rank_high", optional(row.rank_high)},
          {"unranked_reason", row.unranked_reason},
          {"training", row.training},
          {"training_params", row.training_params},
          {"architecture", row.architecture},
          {"recipe", row.recipe},
          {"postprocessor", row.postprocessor},
          {"postprocessor_params", row.postprocessor_params},
          {"classifier", row.classifier},
          {"flags", row.flags},
          {"seeds", row.seeds},
          {"tuned", row.tuned},
          {"train_seconds", optional(row.cost.train_seconds)},
          {"score_seconds", optional(row.cost.score_seconds)},
          {"device", row.cost.device},
          {"numbers", std::move(numbers)}};
}

Json published_json(const PublishedRow& row) {
  const auto name = [](const PublishedName& n) {
    return Json{{"name", n.name}, {"key", n.key.empty() ? Json(nullptr) : Json(n.key)}};
  };
  Json numbers = Json::array();
  for (const PublishedNumber& n : row.numbers) {
    numbers.push_back({{"group", n.group},
                       {"dataset", n.dataset},
                       {"metric", n.metric},
                       {"mean", n.mean},
                       {"std", n.std ? Json(*n.std) : Json(nullptr)},
                       {"doubt", n.doubt}});
  }
  return {{"source", row.source},
          {"training", name(row.training)},
          {"postprocessor", name(row.postprocessor)},
          {"architecture", name(row.architecture)},
          {"numbers", std::move(numbers)}};
}

Json over_sets_json(const OverSets& over) {
  const Friedman& test = over.friedman;
  Json friedman = nullptr;
  if (over.tested()) {
    friedman = {{"chi_square", test.chi_square},
                {"chi_square_p", test.chi_square_p},
                {"f", std::isfinite(test.f) ? Json(test.f) : Json(nullptr)},
                {"f_p", test.f_p},
                {"degrees", test.degrees},
                {"error_degrees", test.error_degrees}};
  }
  return {{"sets", over.sets},
          {"methods", over.methods},
          {"too_few", over.tested() ? Json(nullptr) : Json(over.too_few)},
          {"friedman", std::move(friedman)},
          {"mean_ranks", test.mean_ranks},
          {"cliques", over.tested() ? Json(over.cliques) : Json(nullptr)}};
}

Json board_json(const LeaderboardBoard& board) {
  Json sets = Json::array(), rows = Json::array(), published = Json::array();
  for (const BenchmarkSet& set : board.sets)
    sets.push_back({{"name", set.name}, {"group", set.group}, {"role", set.role}});
  for (const LeaderboardRow& row : board.rows) rows.push_back(row_json(row));
  for (const PublishedRow& row : board.published) published.push_back(published_json(row));
  return {{"benchmark", board.benchmark},
          {"data_hash", board.data_hash},
          {"protocol", board.protocol},
          {"sets", std::move(sets)},
          {"ranked_seeds", board.ranked_seeds},
          {"intervals_from", board.intervals_from},
          {"differing_factors", board.differing_factors},
          {"over_sets", over_sets_json(board.over_sets)},
          {"rows", std::move(rows)},
          {"published", std::move(published)}};
}

Json gaps_json(const std::vector<Gap>& gaps) {
  Json result = Json::array();
  for (const Gap& gap : gaps)
    result.push_back({{"label", gap.label}, {"state", state_name(gap.state)}, {"reason", gap.reason}});
  return result;
}

}  // namespace

std::string leaderboard_json(const Leaderboard& leaderboard) {
  Json boards = Json::array(), plugins = Json::array(), sources = Json::array();
  for (const LeaderboardBoard& board : leaderboard.boards) boards.push_back(board_json(board));
  for (const LeaderboardPlugin& p : leaderboard.plugins) {
    plugins.push_back({{"kind", p.kind}, {"name", p.name}, {"version", p.version}, {"source_hash", p.source_hash}});
  }
  for (const PublishedSource& source : leaderboard.published_sources) {
    sources.push_back(
        {{"name", source.name}, {"title", source.title}, {"reference", source.reference}, {"date", source.date}});
  }
  const Json document = {{"schema", "nearfar/leaderboard"},
                         {"version", kLeaderboardJsonVersion},
                         {"boards", std::move(boards)},
                         {"not_applicable", gaps_json(leaderboard.not_applicable)},
                         {"failed", gaps_json(leaderboard.failed)},
                         {"waiting", leaderboard.waiting_count},
                         {"superseded", leaderboard.superseded_count},
                         {"plugins", std::move(plugins)},
                         {"engine_versions", leaderboard.engine_versions},
                         {"numerics", leaderboard.numerics},
                         {"published_sources", std::move(sources)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace nearfar
