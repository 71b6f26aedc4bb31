/// What a worker does about cells that crashed, hung, ran out of memory, or were lost to another process.
#include "base/text.h"
#include "work/worker_running.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {

constexpr double kLongestPause = 60;

/// What may have been the machine's fault. A failure that the plugin or the data told of, a NaN, scores that are none
/// and a timeout would be the same the next time.
bool is_passing(CellState state) {
  return state == CellState::crashed || state == CellState::hung || state == CellState::oom ||
         state == CellState::running;  // its lease was lost
}

}  // namespace

void Worker::count_failure(const std::string& key) {
  if (!settled_.insert(key).second) return;
  failed_.insert(key);
  held_.insert(key);
  ++summary_.failed;
  const Place& place = places_.at(key);
  if (place.kind == CellKind::train) skip_model(model_at(place), "its model failed");
}

/// False: it is not tried again in this run. Until its time the database keeps it as what it ended as, so that nothing
/// is lost if the run ends before.
bool Worker::retry_later(const std::string& key, CellState state, const std::string& label) {
  if (!is_passing(state) || stopping() || quarantined_.contains(plugin_of(places_.at(key)))) return false;
  const int tries = ++tries_[key];
  if (tries > plan_.experiment.retries) return false;
  const double pause = std::min(kLongestPause, options_.retry_seconds * std::exp2(tries - 1));
  retry_at_[key] = world_.clock.seconds() + pause;
  say(fmt::format("again     {}: in {}, try {} of {}", label, duration_text(pause), tries + 1,
                  plan_.experiment.retries + 1));
  return true;
}

/// Somebody else may have done the cell, or be at it: only what still is as it was left is planned.
void Worker::plan_due_retries() {
  if (stopping()) return;
  const double now = world_.clock.seconds();
  for (auto waiting = retry_at_.begin(); waiting != retry_at_.end();) {
    if (waiting->second > now) {
      ++waiting;
      continue;
    }
    const std::string key = waiting->first;
    waiting = retry_at_.erase(waiting);
    no_question_before_ = 0;
    session_.in_transaction([&] {
      const std::optional<CellState> state = session_.results().state(key);
      if (state && is_passing(*state) && *state != CellState::running)
        session_.planning().plan_again(key, fmt::format("{} before", state_name(*state)));
    });
  }
}

/// The run ends before their time.
void Worker::give_up_retries() {
  for (const auto& [key, when] : std::map(std::move(retry_at_))) {
    const std::optional<CellState> state = session_.results().state(key);
    if (state && is_passing(*state) && *state != CellState::running) count_failure(key);
  }
  retry_at_.clear();
}

/// Binary hash of the plugin that the cell is about; "" = of none.
std::string Worker::plugin_of(const Place& place) const {
  if (place.kind == CellKind::train) return plan_.catalog.plugins[plan_.trains[place.index].plugin].binary_hash;
  if (place.kind != CellKind::eval) return "";
  return plan_.plugin_of(plan_.postprocessors[plan_.evals[place.index].postprocessor]).binary_hash;
}

void Worker::note_crash(const std::string& key, CellState state) {
  const std::string plugin = plugin_of(places_.at(key));
  if (plugin.empty() || (state != CellState::crashed && state != CellState::hung)) return;
  if (++crashes_[plugin] == options_.crashes_to_quarantine) quarantine(plugin, key);
}

/// What engines already work at is not taken from them. `last`: the cell that crashed, which is counted by who asks.
void Worker::quarantine(const std::string& plugin, const std::string& last) {
  quarantined_.insert(plugin);
  const auto& plugins = plan_.catalog.plugins;
  const auto found =
      std::find_if(plugins.begin(), plugins.end(), [&](const auto& one) { return one.binary_hash == plugin; });
  const std::string why = fmt::format("{} '{}' {} is quarantined in this run after {} crashes or hangs", found->kind,
                                      found->name, found->version, options_.crashes_to_quarantine);
  std::vector<std::string> keys, waiting;
  for (const auto& [key, place] : places_) {
    if (key == last || plugin_of(place) != plugin || !cell_at(place).will_run || settled_.contains(key)) continue;
    if (place.kind == CellKind::eval && !plan_.evals[place.index].applicable) continue;
    const bool at_work = std::any_of(running_.begin(), running_.end(), [&, of = key](const auto& running) {
      return running->leases.contains(of) || running->task.owes(of);
    });
    if (at_work) continue;
    if (retry_at_.erase(key) == 1) {
      waiting.push_back(key);
    } else {
      keys.push_back(key);
    }
  }
  for (const std::string& key : keys) session_.queue().event("warn", key, "skipped: " + why);
  skip_cells(keys, found->name, why);
  for (const std::string& key : waiting) count_failure(key);
  for (const std::string& key : keys) {
    if (places_.at(key).kind == CellKind::train) skip_model(model_at(places_.at(key)), why);
  }
}

}  // namespace nearfar
