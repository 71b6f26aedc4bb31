#include "cli/search_text.h"

#include "base/progress.h"
#include "base/text.h"
#include "host/params.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nearfar {
namespace {

std::string settings_of(const TrialState& trial) {
  std::vector<std::string> parts;
  for (const Factor& factor : trial.settings) parts.push_back(factor.name + "=" + param_text(factor.value));
  return parts.empty() ? "the experiment as it is" : join(parts, " ");
}

std::string percent(double fraction) { return fmt::format("{:.2f}", 100 * fraction); }

bool is_over(const SearchState& state) {
  return !state.done.empty() && state.done.back().number == state.rounds.size();
}

/// Trials × epochs of the rounds, and of training every trial in full.
std::pair<std::int64_t, std::int64_t> epochs_of(const SearchState& state) {
  std::int64_t all = 0;
  for (const HalvingRound& round : state.rounds) all += round.trials * round.epochs;
  return {all, state.rounds.front().trials * state.full_epochs};
}

}  // namespace

std::string rounds_text(const SearchState& state) {
  std::vector<std::vector<std::string>> rows{{"round", "trials", "epochs", ""}};
  for (std::size_t i = 0; i < state.rounds.size(); ++i) {
    const auto done =
        std::find_if(state.done.begin(), state.done.end(), [&](const RoundState& one) { return one.number == i + 1; });
    std::string what = i + 1 == state.standing ? "next" : "";
    if (done != state.done.end()) what = fmt::format("done: {} go on", done->going.size());
    rows.push_back(
        {std::to_string(i + 1), std::to_string(state.rounds[i].trials), std::to_string(state.rounds[i].epochs), what});
  }
  const auto [all, full] = epochs_of(state);
  return fmt::format(
      "successive halving by {}\n{}{} epochs of training in all, {:.0f} % of the {} that every trial in full would "
      "take\n{}",
      state.measure, table(rows, {true, true, true, false}), all * state.trainings,
      100 * static_cast<double>(all) / static_cast<double>(full), full * state.trainings,
      state.standing > state.rounds.size() ? "every round is done; what is left is evaluated\n" : "");
}

std::vector<std::string> round_lines(const SearchState& state) {
  const RoundState& round = state.done.back();
  const auto failed =
      std::count_if(round.trials.begin(), round.trials.end(), [](const TrialState& trial) { return trial.failed; });
  std::vector<std::string> lines{fmt::format("round {} of {}: {} of {} trials {} by {}{}", round.number,
                                             state.rounds.size(), round.going.size(), round.trials.size(),
                                             is_over(state) ? "are left" : "go on", state.measure,
                                             failed > 0 ? fmt::format("; {} failed", failed) : "")};
  for (const std::size_t place : round.going) {
    const TrialState& trial = round.trials[place];
    lines.push_back(fmt::format("  {} %  {}", percent(*trial.value), settings_of(trial)));
  }
  return lines;
}

std::string survivors_text(const SearchState& state) {
  std::string text;
  if (is_over(state)) {
    std::vector<std::vector<std::string>> rows{{"place", state.measure + " %", "trial"}};
    const RoundState& last = state.done.back();
    for (std::size_t i = 0; i < last.going.size(); ++i) {
      const TrialState& trial = last.trials[last.going[i]];
      rows.push_back({std::to_string(i + 1), percent(*trial.value), settings_of(trial)});
    }
    text = fmt::format("left of {} trials, each trained for {} epochs\n{}\n", state.rounds.front().trials,
                       state.full_epochs, table(rows, {true, true, false}));
  } else {
    text = fmt::format("{} of {} rounds are done; the same command goes on\n", state.done.size(), state.rounds.size());
  }
  return text + fmt::format("all rounds: {} cells ran in {}, {} failed, {} were done before\n", state.ran,
                            duration_text(state.seconds), state.failed, state.done_before);
}

nlohmann::json search_json(const SearchState& state) {
  using nlohmann::json;
  const auto number = [](const std::optional<double>& value) { return value ? json(*value) : json(); };
  const auto settings = [](const TrialState& trial) {
    json object = json::object();
    for (const Factor& factor : trial.settings)
      std::visit([&](const auto& held) { object[factor.name] = held; }, factor.value);
    return object;
  };
  json planned = json::array(), done = json::array(), left = json::array();
  for (const HalvingRound& round : state.rounds)
    planned.push_back({{"trials", round.trials}, {"epochs", round.epochs}});
  for (const RoundState& round : state.done) {
    json trials = json::array();
    for (std::size_t i = 0; i < round.trials.size(); ++i) {
      const TrialState& trial = round.trials[i];
      json trainings = json::array();
      for (const TrainingState& one : trial.trainings)
        trainings.push_back({{"key", one.key}, {"seed", one.seed}, {"state", one.state}, {"value", number(one.value)}});
      const bool goes = std::find(round.going.begin(), round.going.end(), i) != round.going.end();
      trials.push_back({{"point", trial.point},
                        {"settings", settings(trial)},
                        {"value", number(trial.value)},
                        {"goes_on", goes},
                        {"trainings", trainings}});
    }
    done.push_back({{"round", round.number}, {"epochs", round.epochs}, {"trials", trials}});
  }
  if (is_over(state)) {
    const RoundState& last = state.done.back();
    for (const std::size_t place : last.going) {
      const TrialState& trial = last.trials[place];
      left.push_back({{"point", trial.point}, {"settings", settings(trial)}, {"value", number(trial.value)}});
    }
  }
  const auto [all, full] = epochs_of(state);
  return {{"by", state.measure},
          {"rounds", planned},
          {"done", done},
          {"survivors", left},
          {"epochs", all},
          {"full_epochs", full},
          {"next_round", state.standing == 0 ? json() : json(state.standing)}};
}

}  // namespace nearfar
