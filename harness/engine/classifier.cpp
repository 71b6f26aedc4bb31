#include "engine/classifier.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/npy.h"
#include "engine/job.h"
#include "features/accuracy.h"
#include "features/quality.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <vector>

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kCalibrationBins = 15;

/// Classifies image sets of one model, each once.
class Classifier {
 public:
  explicit Classifier(const FeatureFolder& folder)
      : folder_(folder), linear_(fs::exists(folder.path() / "test/logits.npy")) {
    if (!fs::exists(folder.path() / "test/labels.npy")) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: no labels of the test images, so no accuracy", folder.path().string()));
    }
    if (!linear_) train_ = folder.set("train", kFeatures);
  }

  const char* name() const { return linear_ ? "linear" : "ncm"; }
  bool linear() const { return linear_; }

  struct Set {
    FeatureBatch batch;
    Classification result;
    std::int64_t correct = 0, images = 0;  ///< 0 images where the set has no labels
  };
  const Set& set(const std::string& name) {
    const auto found = sets_.find(name);
    if (found != sets_.end()) return found->second;
    Set& set = sets_[name];
    set.batch = folder_.set(name, linear_ ? kLogits : kFeatures);
    if (!set.batch.labels.defined() || set.batch.labels.numel() == 0) return set;
    set.result =
        linear_ ? linear_accuracy(set.batch.logits, set.batch.labels)
                : ncm_accuracy(train_.features, train_.labels, folder_.classes(), set.batch.features, set.batch.labels);
    set.images = set.result.predictions.size(0);
    set.correct = std::llround(set.result.accuracy * static_cast<double>(set.images));
    return set;
  }

 private:
  const FeatureFolder& folder_;
  bool linear_;
  FeatureBatch train_;
  std::map<std::string, Set> sets_;
};

/// Whether the classifier is right, image by image in the order of the list: what accuracy is the mean of.
wire::ScoreFile write_correct(const std::string& name, const Classifier::Set& set, const fs::path& out,
                              const fs::path& folder) {
  std::vector<std::uint8_t> marks;
  const std::span predictions(set.result.predictions.const_data_ptr<std::int64_t>(),
                              static_cast<std::size_t>(set.images));
  const auto* label = set.batch.labels.const_data_ptr<std::int64_t>();
  for (const std::int64_t prediction : predictions) marks.push_back(prediction == *label++ ? 1 : 0);
  const fs::path file = folder / "correct" / (name + ".npy");
  write_npy<std::uint8_t>(out / file, std::array{set.images}, marks);
  return {"correct/" + name, file.string(), sha256_file(out / file), set.images};
}

json quality_json(const wire::Measured& measured, const Classifier::Set& test, std::int64_t classes) {
  json quality{{"set", "test"},
               {"classifier", measured.classifier},
               {"images", test.images},
               {"accuracy", test.result.accuracy},
               {"nll", measured.nll ? json(*measured.nll) : json()},
               {"ece", measured.ece ? json(*measured.ece) : json()},
               {"ece_bins", kCalibrationBins},
               {"classes", json::array()}};
  const std::vector<ClassCount> counts = count_classes(test.result.predictions, test.batch.labels, classes);
  for (std::size_t c = 0; c < counts.size(); ++c) {
    quality["classes"].push_back({{"class", c}, {"images", counts[c].images}, {"correct", counts[c].correct}});
  }
  return quality;
}

}  // namespace

wire::Measured measure_classifier(const FeatureFolder& features, const std::vector<wire::Protocol>& protocols,
                                  const fs::path& out, const fs::path& folder) {
  Classifier classifier(features);
  wire::Measured measured{.classifier = classifier.name()};
  for (const wire::Protocol& protocol : protocols) {
    std::int64_t correct = classifier.set("test").correct, images = classifier.set("test").images;
    for (const std::string& name : protocol.csid) {
      correct += classifier.set(name).correct;
      images += classifier.set(name).images;
    }
    if (images == 0) continue;
    measured.accuracy.push_back({protocol.name, protocol.csid.empty() ? "test" : "test+csid",
                                 static_cast<double>(correct) / static_cast<double>(images)});
  }
  std::set<std::string> written;
  for (const wire::Protocol& protocol : protocols) {
    std::vector<std::string> names{"test"};
    names.insert(names.end(), protocol.csid.begin(), protocol.csid.end());
    for (const std::string& name : names) {
      if (classifier.set(name).images > 0 && written.insert(name).second)
        measured.correct.push_back(write_correct(name, classifier.set(name), out, folder));
    }
  }
  const Classifier::Set& test = classifier.set("test");
  if (test.images == 0) return measured;
  if (classifier.linear()) {
    const Calibration found = calibration(test.batch.logits, test.batch.labels, kCalibrationBins);
    measured.nll = found.nll;
    measured.ece = found.ece;
  }
  const fs::path file = out / folder / "quality.json";
  write_file_atomic(file, quality_json(measured, test, features.classes()).dump(2) + "\n");
  measured.artifacts.push_back(artifact("quality", out, file));
  return measured;
}

}  // namespace nearfar
