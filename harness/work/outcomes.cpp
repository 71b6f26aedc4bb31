#include "work/outcomes.h"

#include "work/evaluate.h"

#include <fmt/format.h>

namespace nearfar {
namespace {

std::vector<ArtifactRow> artifacts_of(const std::vector<wire::Artifact>& artifacts) {
  std::vector<ArtifactRow> rows;
  for (const wire::Artifact& one : artifacts) rows.push_back({one.name, one.path, one.sha256, one.bytes});
  return rows;
}

/// As the database joins them: by name, with ';'.
template <class Message>
std::string flags_of(const Message& message) {
  std::string flags = message.damaged > 0 ? fmt::format("damaged-images={}", message.damaged) : "";
  if (message.unreadable > 0) flags += fmt::format("{}skipped-images={}", flags.empty() ? "" : ";", message.unreadable);
  return flags;
}

/// As measures of the run; a CPU has none.
void add_device_use(Outcome& outcome, const wire::DeviceUse& use) {
  if (use.peak_bytes == 0) return;
  const auto add = [&](const char* name, const char* unit, std::int64_t value) {
    outcome.measures.push_back({"", name, unit, static_cast<double>(value)});
  };
  add("device_copies_in", "copies", use.to_device);
  add("device_bytes_in", "bytes", use.to_device_bytes);
  add("device_copies_out", "copies", use.to_host);
  add("device_bytes_out", "bytes", use.to_host_bytes);
  add("device_waits", "waits", use.waits);
  add("device_peak_memory", "bytes", use.peak_bytes);
}

}  // namespace

Outcome outcome_of(const wire::Trained& message) {
  Outcome outcome{
      .classifier = message.classifier, .flags = flags_of(message), .artifacts = artifacts_of(message.artifacts)};
  add_device_use(outcome, message.device);
  outcome.train_seconds = message.seconds;
  outcome.val_accuracy = message.val_accuracy;
  for (const wire::Epoch& epoch : message.history) {
    outcome.epochs = epoch.epoch + 1;
    outcome.train_loss = epoch.loss;
    outcome.curve.push_back({"train_loss", epoch.epoch, epoch.loss});
    outcome.curve.push_back({"learning_rate", epoch.epoch, epoch.learning_rate});
    const auto add = [&](const char* name, const std::optional<double>& value) {
      if (value) outcome.curve.push_back({name, epoch.epoch, *value});
    };
    add("val_accuracy", epoch.val_accuracy);
    add("gradient_norm", epoch.gradient_norm);
    add("ood_val_auroc", epoch.ood_val_auroc);
    add("images_per_second", epoch.images_per_second);
  }
  return outcome;
}

Outcome outcome_of(const wire::Passed& message) {
  Outcome outcome{.flags = flags_of(message), .artifacts = artifacts_of(message.artifacts)};
  add_device_use(outcome, message.device);
  const wire::Cost& cost = message.cost;
  if (cost.forward > 0)
    outcome.passes.push_back({message.set, cost.forward, cost.gradients, cost.changed, cost.float64});
  return outcome;
}

Outcome outcome_of(const wire::Measured& message) {
  Outcome outcome{
      .classifier = message.classifier, .flags = flags_of(message), .artifacts = artifacts_of(message.artifacts)};
  for (const wire::ProtocolAccuracy& row : message.accuracy) {
    outcome.metrics.push_back({row.protocol, "id", row.dataset, "accuracy", row.value});
  }
  for (const wire::ScoreFile& file : message.correct)
    outcome.scores.push_back({file.set, file.path, file.sha256, file.count});
  if (message.nll) outcome.measures.push_back({"test", "nll", "nat", *message.nll});
  if (message.ece) outcome.measures.push_back({"test", "ece", "fraction", *message.ece});
  return outcome;
}

Outcome outcome_of(const wire::Scored& message, const std::filesystem::path& out,
                   const std::vector<wire::Protocol>& protocols) {
  Outcome outcome{.flags = flags_of(message), .artifacts = artifacts_of(message.artifacts)};
  if (message.on_cpu) outcome.flags += outcome.flags.empty() ? "on-cpu" : ";on-cpu";
  add_device_use(outcome, message.device);
  outcome.fit_seconds = message.seconds_fit;
  outcome.score_seconds = message.seconds_score;
  std::vector<ScoreFile> files;
  for (const wire::ScoreFile& file : message.scores) {
    outcome.scores.push_back({file.set, file.path, file.sha256, file.count});
    files.push_back({file.set, out / file.path});
  }
  outcome.metrics = metric_rows(files, protocols);
  if (message.tuned) {
    for (const wire::GridPoint& point : message.tuned->points) {
      outcome.tune.push_back({point.params, point.auroc, point.refused, point.params == message.tuned->chosen});
    }
  }
  return outcome;
}

std::string passes_text(const std::vector<PassRow>& passes) {
  PassRow all;
  for (const PassRow& row : passes) {
    all.forward += row.forward;
    all.gradients += row.gradients;
    all.changed += row.changed;
    all.float64 += row.float64;
  }
  if (all.forward == 0) return "no network pass: all features were cached";
  std::string text = fmt::format("one forward pass of {} images in {} sets", all.forward, passes.size());
  if (all.gradients > 0) {
    text += fmt::format("; in it {} images backward and {} changed ones forward", all.gradients, all.changed);
  } else if (all.changed > 0) {
    text += fmt::format("; in it {} changed ones forward", all.changed);
  }
  if (all.float64 > 0) text += fmt::format("; {} through its float64 copy", all.float64);
  return text;
}

}  // namespace nearfar
