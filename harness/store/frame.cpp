/// Everything that reports are made of, with one query for each kind of row: a database may have twenty thousand
/// evaluations.
#include "store/parts.h"
#include "store/rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace nearfar {
namespace {

constexpr std::size_t kUsualValues = 32;  // of an evaluation: seven sets, four metrics, accuracies

/// Condition: cells of the experiments of this name, or all.
constexpr std::string_view kOfExperiment =
    "(?1 IS NULL OR key IN (SELECT cell_key FROM experiment_cell JOIN experiment ON experiment.id = experiment_id"
    " WHERE experiment.name = ?1))";

/// What a train or accuracy cell adds to the evaluations of its model.
struct OfModel {
  std::string run_uid;  ///< of the valid run; "" without one
  std::string flags, classifier, version, source_hash;
  std::optional<double> train_seconds = {};
};

struct AccuracyCell {
  std::string key, data_hash;
  OfModel of_model;
};

using Pair = std::pair<std::string, std::string>;
struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    return std::hash<std::string>()(pair.first) * 31 + std::hash<std::string>()(pair.second);
  }
};

OfModel read_of_model(Row& row) {
  OfModel result;
  for (std::string* field : {&result.run_uid, &result.flags, &result.classifier, &result.version, &result.source_hash})
    *field = row.text();
  result.train_seconds = row.maybe_real();
  return result;
}

class FrameLoader {
 public:
  FrameLoader(const Database& database, const std::optional<std::string>& experiment)
      : db_(database), experiment_(experiment) {}

  ResultsFrame load() {
    load_models();
    load_subjects();
    load_factors();
    load_values();
    return std::move(frame_);
  }

 private:
  static constexpr const char* kSelectOfModel =
      "coalesce(run.uid, ''), cell.flags || ';' || coalesce(run.flags, ''), coalesce(run.classifier, ''),"
      " coalesce(plugin.version, ''), coalesce(plugin.source_hash, ''), run.train_seconds FROM cell"
      " LEFT JOIN run ON cell.state = 'ok' AND run.cell_key = cell.key AND run.attempt = cell.attempt AND run.state = "
      "'ok'"
      " LEFT JOIN plugin ON plugin.id = run.plugin_id";

  std::unique_ptr<Statement> of_experiment(const std::string& sql) const { return db_.query(sql.c_str(), experiment_); }

  void load_models() {
    const std::string of_model = kSelectOfModel;
    const auto trains = db_.query(("SELECT cell.key, " + of_model + " WHERE cell.kind = 'train'").c_str());
    while (trains->step()) {
      Row row(*trains);
      std::string key = row.text();
      trains_.emplace(std::move(key), read_of_model(row));
    }
    const std::string accuracy = "SELECT model_key, benchmark, cell.key, data_hash, " + of_model +
                                 " WHERE cell.kind = 'accuracy' ORDER BY coalesce(run.uid, '')";
    const auto accuracies = db_.query(accuracy.c_str());
    while (accuracies->step()) {
      Row row(*accuracies);
      Pair model{row.text(), row.text()};
      AccuracyCell cell{.key = row.text(), .data_hash = row.text(), .of_model = {}};  // from left to right
      cell.of_model = read_of_model(row);
      accuracies_[std::move(model)].push_back(std::move(cell));
    }
    const auto features = db_.query(
        "SELECT model_key, data_hash, group_concat(flags || ';' || run_flags, ';') FROM v_valid_cell"
        " WHERE kind = 'features' AND flags || run_flags <> '' GROUP BY model_key, data_hash");
    while (features->step()) {
      Row row(*features);
      Pair model{row.text(), row.text()};
      feature_flags_.emplace(std::move(model), row.text());
    }
    const auto metrics = db_.query(
        "SELECT run_uid, protocol, set_group, dataset, metric, value_fraction FROM metric WHERE set_group = 'id'"
        " AND run_uid IN (SELECT run_uid FROM v_valid_cell WHERE kind IN ('train', 'accuracy')) ORDER BY run_uid");
    while (metrics->step()) {
      Row row(*metrics);
      std::vector<ResultValue>& values = model_values_[row.text()];
      values.push_back(read_value(row, 0));
    }
  }

  void load_subjects() {
    const auto evals = of_experiment(fmt::format(
        "SELECT key, run.uid, model_key, benchmark, data_hash, training, training_params, architecture, head,"
        " recipe, postprocessor, postprocessor_params, seed, run.classifier, cell.flags || ';' || run.flags,"
        " run.numerics, run.engine_version, coalesce(plugin.version, ''), coalesce(plugin.source_hash, ''),"
        " run.fit_seconds, run.score_seconds, run.device, run.thread_count,"
        " CASE WHEN EXISTS(SELECT 1 FROM tune_point WHERE run_uid = run.uid) THEN 1 ELSE 0 END,"
        " coalesce(train_key, '')"
        " FROM cell JOIN run ON run.cell_key = cell.key AND run.attempt = cell.attempt"
        " LEFT JOIN plugin ON plugin.id = run.plugin_id"
        " WHERE cell.state = 'ok' AND run.state = 'ok' AND cell.kind = 'eval' AND {}"
        " ORDER BY benchmark, data_hash, training, training_params, architecture, head, recipe, postprocessor,"
        " postprocessor_params, seed, key",
        kOfExperiment));
    while (evals->step()) {
      Row row(*evals);
      ResultSubject subject;
      for (std::string* field :
           {&subject.cell_key, &subject.run_uid, &subject.model_key, &subject.benchmark, &subject.data_hash,
            &subject.training, &subject.training_params, &subject.architecture, &subject.head, &subject.recipe,
            &subject.postprocessor, &subject.postprocessor_params}) {
        *field = row.text();
      }
      subject.seed = row.number();
      for (std::string* field : {&subject.classifier, &subject.flags, &subject.numerics, &subject.engine_version,
                                 &subject.postprocessor_version, &subject.postprocessor_source_hash}) {
        *field = row.text();
      }
      subject.fit_seconds = row.maybe_real();
      subject.score_seconds = row.maybe_real();
      subject.device = row.text();
      subject.threads = row.small();
      subject.tuned = row.number() != 0;
      join_model(subject, row.text());
      index_.emplace(subject.run_uid, frame_.subjects.size());
      frame_.subjects.push_back(std::move(subject));
    }
  }

  /// Adds what the model's own cells know: its accuracy, flags and loss.
  void join_model(ResultSubject& subject, std::string train_key) {
    std::string accuracy_uid, classifier;
    if (const auto train = trains_.find(train_key); train != trains_.end()) {
      subject.training_version = train->second.version;
      subject.training_source_hash = train->second.source_hash;
      subject.train_seconds = train->second.train_seconds;
      subject.flags += ";" + train->second.flags;
      accuracy_uid = train->second.run_uid;
      classifier = train->second.classifier;
    }
    if (const AccuracyCell* accuracy = accuracy_of(subject)) {
      subject.flags += ";" + accuracy->of_model.flags;
      if (!accuracy->of_model.run_uid.empty()) {
        subject.accuracy_key = accuracy->key;
        accuracy_uid = accuracy->of_model.run_uid;
        classifier = accuracy->of_model.classifier;
      }
    }
    if (const auto flags = feature_flags_.find({subject.model_key, subject.data_hash}); flags != feature_flags_.end())
      subject.flags += ";" + flags->second;
    subject.flags = canonical_flags(subject.flags);
    if (subject.classifier.empty()) subject.classifier = classifier;
    accuracy_uids_.push_back(std::move(accuracy_uid));
    train_keys_.push_back(std::move(train_key));
  }

  /// The accuracy cell on the same data, of several the one that ran last. Where there is none, because another version
  /// of the benchmark has the same test images and so the same cell: the only one on a benchmark of this name.
  const AccuracyCell* accuracy_of(const ResultSubject& subject) const {
    const auto found = accuracies_.find({subject.model_key, subject.benchmark});
    if (found == accuracies_.end()) return nullptr;
    const std::vector<AccuracyCell>& cells = found->second;
    const auto same = std::find_if(cells.rbegin(), cells.rend(),
                                   [&](const AccuracyCell& cell) { return cell.data_hash == subject.data_hash; });
    if (same != cells.rend()) return &*same;
    return cells.size() == 1 ? &cells.front() : nullptr;
  }

  void load_factors() {
    std::unordered_map<std::string, std::vector<Factor>> factors;  // by cell, sorted by name
    const auto rows = of_experiment(
        fmt::format("SELECT cell_key, name, value, is_boolean, is_default FROM cell_factor WHERE cell_key IN"
                    " (SELECT key FROM cell WHERE state = 'ok' AND kind = 'eval' AND {}"
                    " UNION SELECT key FROM cell WHERE kind = 'train') ORDER BY cell_key, name",
                    kOfExperiment));
    while (rows->step()) {
      Row row(*rows);
      std::vector<Factor>& of_cell = factors[row.text()];
      of_cell.push_back(row.factor());
    }
    for (std::size_t i = 0; i < frame_.subjects.size(); ++i) {
      ResultSubject& subject = frame_.subjects[i];
      const std::vector<Factor>&own = factors[subject.cell_key], &models = factors[train_keys_[i]];
      subject.factors.reserve(own.size() + models.size());
      // Of two of one name the cell's own stays: set_union takes the first range's.
      std::ranges::set_union(own, models, std::back_inserter(subject.factors), {}, &Factor::name, &Factor::name);
    }
  }

  void load_values() {
    std::vector<ResultValue> scanned;
    scanned.reserve(frame_.subjects.size() * kUsualValues);
    std::vector<std::pair<std::size_t, std::size_t>> ranges(frame_.subjects.size());  // begin, end in `scanned`
    const auto rows = of_experiment(
        fmt::format("SELECT run_uid, protocol, set_group, dataset, metric, value_fraction FROM metric WHERE run_uid IN"
                    " (SELECT run_uid FROM v_valid_cell WHERE kind = 'eval' AND {})"
                    " ORDER BY run_uid, protocol, set_group, dataset, metric",
                    kOfExperiment));
    std::string uid;
    std::size_t subject = 0;
    while (rows->step()) {
      Row row(*rows);
      if (const std::string_view next = row.view(); next != uid) {
        uid = next;
        subject = index_.at(uid);
        ranges[subject].first = scanned.size();
      }
      scanned.push_back(read_value(row, subject));
      ranges[subject].second = scanned.size();
    }
    frame_.values.reserve(scanned.size() + frame_.subjects.size() * 2);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      const auto begin = frame_.values.size();
      std::move(scanned.begin() + static_cast<std::ptrdiff_t>(ranges[i].first),
                scanned.begin() + static_cast<std::ptrdiff_t>(ranges[i].second), std::back_inserter(frame_.values));
      if (add_model_values(i, begin)) {
        std::sort(frame_.values.begin() + static_cast<std::ptrdiff_t>(begin), frame_.values.end(),
                  [](const ResultValue& a, const ResultValue& b) { return names(a) < names(b); });
      }
    }
  }

  /// The model's accuracy under the protocols that the evaluation has, where it did not bring its own.
  bool add_model_values(std::size_t subject, std::size_t begin) {
    const auto found = model_values_.find(accuracy_uids_[subject]);
    if (found == model_values_.end()) return false;
    const std::size_t end = frame_.values.size();
    bool added = false;
    for (const ResultValue& value : found->second) {
      bool has_protocol = false, has_own = false;
      for (std::size_t i = begin; i < end; ++i) {
        has_protocol |= frame_.values[i].protocol == value.protocol;
        has_own |= names(frame_.values[i]) == names(value);
      }
      if (!has_protocol || has_own) continue;
      frame_.values.push_back(value);
      frame_.values.back().subject = subject;
      added = true;
    }
    return added;
  }

  static std::tuple<const std::string&, const std::string&, const std::string&, const std::string&> names(
      const ResultValue& value) {
    return {value.protocol, value.group, value.dataset, value.metric};
  }

  static ResultValue read_value(Row& row, std::size_t subject) {
    return {subject, row.text(), row.text(), row.text(), row.text(), row.real()};
  }

  const Database& db_;
  const std::optional<std::string>& experiment_;
  ResultsFrame frame_;
  std::unordered_map<std::string, OfModel> trains_;                           // by key
  std::unordered_map<Pair, std::vector<AccuracyCell>, PairHash> accuracies_;  // by model and benchmark
  std::unordered_map<Pair, std::string, PairHash> feature_flags_;             // by model and data
  std::unordered_map<std::string, std::vector<ResultValue>> model_values_;    // accuracies by run
  std::unordered_map<std::string, std::size_t> index_;                        // subjects by run
  std::vector<std::string> accuracy_uids_, train_keys_;                       // of each subject; may be ""
};

}  // namespace

ResultsFrame load_frame(Database& database, const std::optional<std::string>& experiment) {
  return FrameLoader(database, experiment).load();
}

}  // namespace nearfar
