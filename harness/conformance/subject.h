#pragma once
/// The plugin under check, as checks use it: loaded when first asked for, created with the given parameters, fitted on
/// the problem of problem.h, on one device. One thread.
#include "conformance/problem.h"
#include "host/call.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

class Subject {
 public:
  /// device: "cpu" or "fake"; the accelerator is opened when a check first asks for it.
  Subject(std::filesystem::path file, std::vector<std::string> assignments, std::string device, double tolerance)
      : file_(std::move(file)),
        assignments_(std::move(assignments)),
        device_name_(std::move(device)),
        tolerance_(tolerance) {}

  /// The same on another device.
  Subject(const Subject& other, std::string device)
      : Subject(other.file_, other.assignments_, std::move(device), other.tolerance_) {}

  const std::filesystem::path& file() const { return file_; }
  const LoadedPlugin& plugin() const;  ///< throws as load_plugin()
  ParamMap params() const;             ///< those given; Error(config) where they do not fit the table
  double tolerance() const { return tolerance_; }
  const std::string& device_name() const { return device_name_; }
  at::Device device() const;

  bool looks_inside() const { return observes(plugin().needs()); }

  PostprocessorHandle postprocessor() const;
  PostprocessorHandle postprocessor(const ParamMap& others) const;  ///< the given ones, and these in their place
  LossHandle loss() const;
  LossHandle loss(const ParamMap& others) const;

  /// What fit() gets of a problem: on the device, with the columns of observe() where the plugin looks inside.
  FitContext context(const PostprocessorHandle& scorer, const Problem& problem) const;
  /// What score() gets of images: likewise, with observe_fitted() where it has one.
  FeatureBatch batch(const PostprocessorHandle& scorer, const Problem& problem, const Images& images) const;
  /// A postprocessor that is fitted on the problem.
  PostprocessorHandle fitted(const Problem& problem) const;
  /// [N] float64 on the host.
  at::Tensor score(const PostprocessorHandle& scorer, const FeatureBatch& batch) const;

 private:
  std::filesystem::path file_;
  std::vector<std::string> assignments_;
  std::string device_name_;
  double tolerance_;
  mutable std::optional<LoadedPlugin> plugin_;
};

/// Fails unless the two are equal within the subject's tolerance, relative to the largest of `wanted`, or of `scale`
/// where that is larger. `what` says what should be equal to what.
void expect_equal_scores(const Subject& subject, const at::Tensor& found, const at::Tensor& wanted,
                         const std::string& what, double scale = 0);
/// max |found - wanted| / max(|wanted|, scale); 0 of nothing; infinite where one is not finite.
double relative_difference(const at::Tensor& found, const at::Tensor& wanted, double scale = 0);

}  // namespace nearfar
