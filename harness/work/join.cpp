#include "work/join.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace nearfar {
namespace {
using nlohmann::json;

template <class Visit>
void for_each_cell(Plan& plan, const Visit& visit) {
  for (TrainCell& train : plan.trains) visit(train.cell, CellKind::train, true);
  for (FeaturesCell& features : plan.features) visit(features.cell, CellKind::features, true);
  for (AccuracyCell& accuracy : plan.accuracies) visit(accuracy.cell, CellKind::accuracy, true);
  for (EvalCell& eval : plan.evals) visit(eval.cell, CellKind::eval, eval.applicable);
}

/// Where two identities differ, a few places of it: "/images/sets/test is 3 there and 4 here".
std::string differences(const std::string& there_text, const std::string& here_text) {
  constexpr std::size_t kMost = 3;
  const json there = json::parse(there_text, nullptr, false), here = json::parse(here_text, nullptr, false);
  std::vector<std::string> places;
  for (const json& step : json::diff(there, here)) {
    const json::json_pointer place(step.at("path").get<std::string>());
    const auto value = [&](const json& of) {
      const std::string text = of.contains(place) ? of.at(place).dump() : "nothing";
      return std::string(clipped(text, 60)) + (text.size() > 60 ? "…" : "");
    };
    places.push_back(fmt::format("{} is {} there and {} here", place.to_string(), value(there), value(here)));
    if (places.size() == kMost) break;
  }
  return join(places, "; ");
}

[[noreturn]] void refuse(Plan& plan, const Session& session, const std::vector<std::string>& strangers) {
  const auto details = session.results().find(strangers.front());
  const std::string label = details ? details->status.label : strangers.front();
  std::string why = "there is no cell of that name in it";
  for_each_cell(plan, [&](const Cell& cell, CellKind kind, bool applies) {
    if (!details || cell.label != label || kind != details->status.kind) return;
    why =
        applies ? differences(details->record.identity_json, cell.identity) : "it does not apply here: " + cell.reason;
  });
  throw Error(
      ErrorKind::config,
      fmt::format("{}: {} open cells of experiment '{}' are others on this machine, so it cannot do them; the "
                  "first is '{}': {}. Use the data, plugins and nearfar of the machine that planned them (paths: "
                  "--profile), or plan anew with `nearfar submit` or `nearfar plan --put`",
                  session.name(), strangers.size(), plan.experiment.name, label, why));
}

}  // namespace

JoinedPlan join_plan(Plan& plan, std::int64_t experiment_id, Session& session) {
  JoinedPlan joined;
  session.in_transaction([&] {
    PlanStore& store = session.planning();
    joined.put.places = compare(plan, &store);
    joined.put.plugin_ids = put_plugins(plan, store);
    joined.put.experiment_id = experiment_id;
    std::vector<std::string> strangers = store.open_keys(experiment_id);
    const std::set<std::string, std::less<>> open(strangers.begin(), strangers.end());
    std::set<std::string, std::less<>> ours;
    for_each_cell(plan, [&](Cell& cell, CellKind, bool applies) {
      // compare() would do again what failed, or lost its files: a worker does what is planned and nothing else.
      cell.will_run = applies && open.contains(cell.key);
      cell.needed = cell.will_run || cell.state == "ok";
      if (cell.will_run) ours.insert(cell.key);
      const bool ended = cell.state != "planned" && cell.state != "running" && cell.state != "not-applicable";
      if (applies && ended && cell.state != "ok") ++joined.failed_before;
    });
    std::erase_if(strangers, [&](const std::string& key) { return ours.contains(key); });
    if (!strangers.empty()) refuse(plan, session, strangers);
  });
  return joined;
}

}  // namespace nearfar
