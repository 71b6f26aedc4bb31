/// What a worker stores of its engines' words.
#include "base/error.h"
#include "base/text.h"
#include "work/outcomes.h"
#include "work/worker_running.h"

#include <fmt/format.h>

namespace nearfar {

/// Storing under a lease: one that is lost costs its own cell.
void Worker::guarded(const std::string& key, const std::string& label, const std::function<void()>& store) {
  try {
    store();
  } catch (const LeaseLost& lost) {
    held_.insert(key);  // count_leftovers() asks what became of it
    say(fmt::format("taken over by another process: {} ({})", label, lost.what()));
  }
}

void Worker::store_done(Running& running, const Done& done) {
  const std::string& label = running.task.label_of(done.key);
  Outcome outcome;
  try {
    outcome = std::visit(
        Overloaded{[&](const wire::Scored& scored) { return outcome_of(scored, running.out, running.protocols); },
                   [](const auto& other) { return outcome_of(other); }},
        done.message);
  } catch (const Error& error) {  // scores that are no numbers
    return store_failed(running, {done.key, CellState::invalid, error.what()});
  }
  const auto lease = running.leases.extract(done.key);
  if (lease.empty()) return;
  guarded(done.key, label, [&] {
    session_.queue().finish(lease.mapped().run_uid, outcome);
    settled_.insert(done.key);
    ++summary_.ran;
    no_question_before_ = 0;  // a model that is trained makes cells ready
    running.passes.insert(running.passes.end(), outcome.passes.begin(), outcome.passes.end());
    if (const auto* trained = std::get_if<wire::Trained>(&done.message)) {
      const std::string val = trained->val_accuracy ? fmt::format("  {} validation accuracy {:.2f} %",
                                                                  trained->classifier, 100 * *trained->val_accuracy)
                                                    : "";
      say(fmt::format("trained   {}{}  in {}", label, val, duration_text(trained->seconds)));
    } else if (const auto* measured = std::get_if<wire::Measured>(&done.message)) {
      const std::string value =
          measured->accuracy.empty() ? "no labels" : fmt::format("{:.2f} %", 100 * measured->accuracy.front().value);
      say(fmt::format("accuracy  {}  {} {}", plan_.models[running.model].label, measured->classifier, value));
    } else if (const auto* scored = std::get_if<wire::Scored>(&done.message)) {
      say(fmt::format("scored    {}{}", label, scored->tuned ? "  tuned: " + scored->tuned->chosen : ""));
    }
  });
}

void Worker::store_failed(Running& running, const FailCell& failed) {
  const auto lease = running.leases.extract(failed.key);
  if (lease.empty()) return;
  const std::string& label = running.task.label_of(failed.key);
  guarded(failed.key, label, [&] {
    session_.queue().fail(lease.mapped().run_uid, failed.state, failed.message);
    settled_.insert(failed.key);
    failed_.insert(failed.key);
    held_.insert(failed.key);
    ++summary_.failed;
    say(fmt::format("{}  {}: {}", state_name(failed.state), label, failed.message));
  });
  if (running.task.training()) skip_model(running.model, "its model failed");
}

void Worker::give_back(Running& running, const HandBack& back) {
  const auto lease = running.leases.extract(back.key);
  if (lease.empty()) return;
  guarded(back.key, running.task.label_of(back.key), [&] {
    session_.queue().hand_back(lease.mapped().run_uid, back.message);
    if (back.again) return;
    held_.insert(back.key);
    if (!settled_.insert(back.key).second) return;
    if (back.message == "interrupted") {
      ++summary_.handed_back;
    } else {
      ++summary_.skipped;
      say(fmt::format("skipped   {}: {}", running.task.label_of(back.key), back.message));
    }
  });
}

void Worker::skip_model(std::size_t model, std::string_view why) {
  std::int64_t count = 0;
  const auto skip = [&](const Cell& cell, std::size_t of) {
    if (of != model || !cell.will_run || !settled_.insert(cell.key).second) return;
    held_.insert(cell.key);
    ++count;
  };
  for (const FeaturesCell& features : plan_.features) skip(features.cell, features.model);
  for (const AccuracyCell& accuracy : plan_.accuracies) skip(accuracy.cell, accuracy.model);
  for (const EvalCell& eval : plan_.evals) {
    if (eval.applicable) skip(eval.cell, eval.model);
  }
  summary_.skipped += count;
  if (count > 0) say(fmt::format("skipped   {} cells of {}: {}", count, plan_.models[model].label, why));
}

void Worker::tell_passes(const Running& running) {
  const ModelPlan& model = plan_.models[running.model];
  if (model.origin == ModelOrigin::features) return;
  for (const PassRow& row : running.passes) summary_.passes.emplace_back(model.label, row);
  const std::string text = passes_text(running.passes);
  session_.queue().event("info", model.key, text);
  say(fmt::format("passes    {}  {}", model.label, text));
}

/// Of these cells: models whose train cell has failed, here or elsewhere.
std::set<std::size_t> Worker::models_that_failed(const std::vector<std::string>& keys) {
  std::set<std::size_t> models;
  for (const std::string& key : keys) models.insert(model_at(places_.at(key)));
  std::vector<std::string> trains;
  for (const std::size_t model : models) trains.push_back(plan_.models[model].key);
  const std::vector<std::optional<StoredCell>> stored = session_.planning().stored(trains);
  std::size_t i = 0;
  std::erase_if(models, [&](std::size_t) {
    const std::optional<StoredCell>& train = stored[i++];
    return !train || !is_failure(train->state);
  });
  return models;
}

/// What was to run and is neither done, failed, skipped nor handed back here: other processes have done it, have it
/// now, or it waits for theirs.
void Worker::count_leftovers() {
  if (summary_.interrupted || stopping() || begun_enough()) return;
  std::vector<std::string> keys;
  for (const auto& [key, place] : places_) {
    const bool applies = place.kind != CellKind::eval || plan_.evals[place.index].applicable;
    if (applies && cell_at(place).will_run && !settled_.contains(key)) keys.push_back(key);
  }
  std::set<std::string> owners;
  const std::set<std::size_t> lost = models_that_failed(keys);
  const std::vector<std::optional<StoredCell>> now = session_.planning().stored(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::optional<StoredCell>& stored = now[i];
    if (stored && stored->state == CellState::ok) {
      ++summary_.done_elsewhere;
      continue;
    }
    if (stored && is_failure(stored->state)) {
      ++summary_.failed_elsewhere;
      continue;
    }
    if (lost.contains(model_at(places_.at(keys[i])))) {
      ++summary_.skipped;
      continue;
    }
    if (stored && stored->state == CellState::running) owners.insert(stored->owner);
    // What waits for a cell that was handed back waits for the next run, too.
    ++(summary_.handed_back > 0 ? summary_.handed_back : summary_.elsewhere);
  }
  if (summary_.done_elsewhere > 0)
    say(fmt::format("{} cells were done by other processes meanwhile", summary_.done_elsewhere));
  if (summary_.elsewhere == 0) return;
  const std::vector<std::string> names(owners.begin(), owners.end());
  say(fmt::format("{} cells were left to other processes{}; they are not done yet: see `nearfar status`",
                  summary_.elsewhere, names.empty() ? "" : " (" + join(names, ", ") + ")"));
}

}  // namespace nearfar
