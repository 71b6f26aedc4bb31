/// What a run leaves behind, written and read back: one table for each kind of row.
#include "base/error.h"
#include "store/parts.h"
#include "store/rows.h"

#include <fmt/core.h>

namespace nearfar {

namespace {

void check_metrics(const Database& db, std::string_view uid, const std::vector<MetricRow>& rows) {
  for (const MetricRow& row : rows) {
    if (!(row.value >= 0 && row.value <= 1)) {
      throw Error(ErrorKind::store,
                  fmt::format("{}: run {}: {} of {}/{} is {}, expected a fraction in [0, 1]; the run was not stored",
                              db.name(), uid, row.metric, row.group, row.dataset, row.value));
    }
  }
}

}  // namespace

void add_outcome(const Database& db, std::string_view uid, const Outcome& outcome) {
  check_metrics(db, uid, outcome.metrics);
  db.run(
      "UPDATE run SET classifier = ?, flags = ?, train_seconds = ?, fit_seconds = ?, score_seconds = ?,"
      " epoch_count = ?, final_train_loss = ?, val_accuracy_fraction = ? WHERE uid = ?",
      outcome.classifier, canonical_flags(outcome.flags), outcome.train_seconds, outcome.fit_seconds,
      outcome.score_seconds, outcome.epochs, outcome.train_loss, outcome.val_accuracy, uid);
  db.for_each("INSERT INTO metric VALUES(?, ?, ?, ?, ?, ?)", outcome.metrics, [&](const MetricRow& row) {
    return std::tie(uid, row.protocol, row.group, row.dataset, row.metric, row.value);
  });
  db.for_each("INSERT INTO measure VALUES(?, ?, ?, ?, ?)", outcome.measures,
              [&](const MeasureRow& row) { return std::tie(uid, row.set, row.name, row.unit, row.value); });
  db.for_each("INSERT INTO curve VALUES(?, ?, ?, ?)", outcome.curve,
              [&](const CurvePoint& point) { return std::tie(uid, point.name, point.step, point.value); });
  int place = -1;
  db.for_each("INSERT INTO tune_point VALUES(?, ?, ?, ?, ?, ?)", outcome.tune, [&](const TunePoint& point) {
    return std::tie(uid, ++place, point.params, point.auroc, point.refused, point.chosen);
  });
  db.for_each("INSERT INTO network_pass VALUES(?, ?, ?, ?, ?, ?)", outcome.passes, [&](const PassRow& row) {
    return std::tie(uid, row.set, row.forward, row.gradients, row.changed, row.float64);
  });
  db.for_each("INSERT INTO score_set VALUES(?, ?, ?, ?, ?)", outcome.scores,
              [&](const ScoreSetRow& row) { return std::tie(uid, row.set, row.path, row.sha256, row.count); });
  db.for_each("INSERT INTO artifact VALUES(?, ?, ?, ?, ?)", outcome.artifacts,
              [&](const ArtifactRow& row) { return std::tie(uid, row.name, row.path, row.sha256, row.bytes); });
}

Outcome read_outcome(const Database& db, std::string_view uid) {
  Outcome outcome;
  const auto run = db.query(
      "SELECT classifier, flags, train_seconds, fit_seconds, score_seconds, epoch_count, final_train_loss,"
      " val_accuracy_fraction FROM run WHERE uid = ?",
      uid);
  if (!run->step()) return outcome;
  Row row(*run);
  outcome.classifier = row.text();
  outcome.flags = row.text();
  outcome.train_seconds = row.maybe_real();
  outcome.fit_seconds = row.maybe_real();
  outcome.score_seconds = row.maybe_real();
  outcome.epochs = row.maybe_number();
  outcome.train_loss = row.maybe_real();
  outcome.val_accuracy = row.maybe_real();
  // Braces evaluate from left to right: the columns come in the order of the fields.
  outcome.metrics = collect(
      db.query("SELECT protocol, set_group, dataset, metric, value_fraction FROM metric WHERE run_uid = ? ORDER BY"
               " protocol, set_group, dataset, metric",
               uid),
      [](Row& r) {
        return MetricRow{r.text(), r.text(), r.text(), r.text(), r.real()};
      });
  outcome.measures = collect(
      db.query("SELECT set_name, name, unit, value FROM measure WHERE run_uid = ? ORDER BY set_name, name", uid),
      [](Row& r) {
        return MeasureRow{r.text(), r.text(), r.text(), r.real()};
      });
  outcome.scores = collect(
      db.query("SELECT set_name, path, sha256, score_count FROM score_set WHERE run_uid = ? ORDER BY set_name", uid),
      [](Row& r) {
        return ScoreSetRow{r.text(), r.text(), r.text(), r.number()};
      });
  outcome.curve =
      collect(db.query("SELECT name, step, value FROM curve WHERE run_uid = ? ORDER BY step, name", uid), [](Row& r) {
        return CurvePoint{r.text(), r.number(), r.real()};
      });
  outcome.tune = collect(
      db.query("SELECT params, auroc_fraction, refused, chosen FROM tune_point WHERE run_uid = ? ORDER BY place", uid),
      [](Row& r) {
        return TunePoint{r.text(), r.maybe_real(), r.text(), r.number() != 0};
      });
  outcome.passes = collect(db.query("SELECT set_name, forward_images, gradient_images, changed_images, float64_images"
                                    " FROM network_pass WHERE run_uid = ? ORDER BY set_name",
                                    uid),
                           [](Row& r) {
                             return PassRow{r.text(), r.number(), r.number(), r.number(), r.number()};
                           });
  outcome.artifacts = collect(
      db.query("SELECT name, path, sha256, size_bytes FROM artifact WHERE run_uid = ? ORDER BY name", uid), [](Row& r) {
        return ArtifactRow{r.text(), r.text(), r.text(), r.number()};
      });
  return outcome;
}

}  // namespace nearfar
