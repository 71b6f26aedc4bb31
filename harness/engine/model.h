#pragma once
/// The model of an eval job: a network that is loaded only if some image set has no features yet, and the folder of its
/// features.
#include "engine/job.h"
#include "features/extract.h"
#include "features/folder.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// The features of a job's model, made as they are asked for. The network is loaded when the first image set needs it.
class ModelFeatures {
 public:
  /// `sets`: how many will be asked for, for the progress.
  ModelFeatures(const nlohmann::json& job, std::size_t sets);
  ~ModelFeatures();

  /// The feature folder, the model's own for a model of features.
  const std::filesystem::path& folder() const { return folder_; }
  /// One pass over the set's images for whatever is missing of its features and of the observers' columns. Of a model
  /// of features: nothing, and an observer is Error(data).
  void ensure(const PlannedSet& set, const std::vector<Observer>& observers = {});

  struct Pass {
    std::string set;
    PassCounts counts;
  };
  /// Those that ran, in their order: none if everything was cached.
  const std::vector<Pass>& passes() const { return passes_; }

 private:
  Network& network();

  const nlohmann::json& job_;
  double sets_, done_ = 0;
  std::filesystem::path folder_;
  std::optional<JobImages> images_;  // not of a model of features
  std::string weights_;
  std::unique_ptr<Network> network_;
  std::vector<Pass> passes_;
};

/// One row of accuracy for each protocol of the job: `test`, or `test` and the protocol's shifted sets pooled, by the
/// linear head or, without one, by nearest class mean. Empty if the folder has neither logits nor train features, or no
/// labels.
struct AccuracyRow {
  std::string protocol, dataset;  ///< dataset: "test" or "test+csid"
  double value = 0;
};
struct ModelAccuracy {
  std::string classifier;  ///< "linear", "ncm" or ""
  std::vector<AccuracyRow> rows;
};
ModelAccuracy model_accuracy(const nlohmann::json& job, const FeatureFolder& folder);

/// The quality of the model's classifier on `test`, as JSON:
/// {"set","classifier","images","accuracy","nll","ece","ece_bins", "classes":[{"class","images","correct"}]}; nll and
/// ece are null without logits. null if there is no accuracy.
nlohmann::json classifier_quality(const FeatureFolder& folder, const ModelAccuracy& accuracy);

/// Images left out of the sets because they could not be read.
std::int64_t unreadable_images(const std::filesystem::path& folder, const std::vector<PlannedSet>& sets);

}  // namespace nearfar
