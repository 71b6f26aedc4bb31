#pragma once
/// The features of a job's model, made as they are asked for: a network that is loaded only if some image set has no
/// features yet, or a method looks inside it, and the folder of its features.
#include "engine/job.h"
#include "features/extract.h"
#include "wire/jobs.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

class ModelFeatures {
 public:
  /// `job` outlives it.
  ModelFeatures(const wire::EvalJob& job, at::Device device);
  ~ModelFeatures();

  /// The feature folder, the model's own for a model of features.
  const std::filesystem::path& folder() const { return folder_; }
  at::Device device() const { return device_; }
  /// Of a model of features: there is no network, and no image is looked at.
  bool only_features() const { return !images_; }
  /// One pass over the set's images for whatever is missing of its features and of the observers' columns; what it
  /// cost. Of a model of features: nothing, and an observer is Error(data).
  PassCounts ensure(const wire::SetRef& set, const std::vector<Observer>& observers = {});
  ImageFaults faults(const std::string& set) const;

 private:
  Network& network();

  const wire::EvalJob& job_;
  at::Device device_;
  double sets_, done_ = 0;
  std::filesystem::path folder_;
  std::optional<JobImages> images_;  // not of a model of features
  std::string weights_;
  std::unique_ptr<Network> network_;
};

}  // namespace nearfar
