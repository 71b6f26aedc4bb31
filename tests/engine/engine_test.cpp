/// Parts of the engine that need no process: jobs against what is there now, the classifier's accuracy, devices.
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/npy.h"
#include "base/text.h"
#include "device/device.h"
#include "engine/classifier.h"
#include "engine/job.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

std::string refusal(ErrorKind kind, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  return "";
}

TEST(EngineDevice, RefusesWhatItDoesNotComputeOn) {
  // E3: "cuda" must not be stored with numbers that a CPU made.
  EXPECT_NO_THROW(open_device("cpu"));
  EXPECT_NE(refusal(ErrorKind::config, [] { open_device("cuda"); }).find("--device cpu"), std::string::npos);
}

class EngineImages : public ::testing::Test {
 protected:
  fs::path benchmark(const std::string& from = "", const std::string& to = "") {
    const fs::path file = folder_.path() / "b.toml";
    const std::string text = read_file(testing::source_dir() / "configs/benchmarks/smoke.toml");
    write_file_atomic(file, from.empty() ? text : replace_all(text, from, to));
    return file;
  }
  wire::Images job(const fs::path& file) {
    return {.benchmark = file.string(), .identity = benchmark_identity(load_benchmark(file.string(), {}))};
  }
  TempDir folder_;
};

TEST_F(EngineImages, ABenchmarkThatWasEditedSinceThePlanIsRefused) {
  // E16: other normalisation or classes would give results under the old key.
  const wire::Images planned = job(benchmark());
  EXPECT_NO_THROW(JobImages(planned, 1, at::kCPU));
  for (const auto& [from, to] :
       {std::pair{"mean = [0.5]", "mean = [0.4]"}, {"std = [0.25]", "std = [0.3]"}, {"0 degrees", "none"}}) {
    benchmark(from, to);
    EXPECT_NE(refusal(ErrorKind::data, [&] { JobImages(planned, 1, at::kCPU); }).find("changed since the plan"),
              std::string::npos)
        << from;
  }
}

TEST_F(EngineImages, ASetThatIsNotThePlansIsRefused) {
  const JobImages images(job(benchmark()), 1, at::kCPU);
  EXPECT_NE(refusal(ErrorKind::data,
                    [&] {
                      images.open({"test", "0123"});
                    })
                .find("contents have changed"),
            std::string::npos);
}

/// Two classes, four test images of which three are right, two shifted ones of which one is.
class EngineClassifier : public ::testing::Test {
 protected:
  void put(const std::string& name, std::vector<std::int64_t> shape, const std::vector<float>& values) {
    write_npy<float>(folder_.path() / name, shape, values);
  }
  void labels(const std::string& set, const std::vector<std::int64_t>& values) {
    const std::int64_t shape[] = {static_cast<std::int64_t>(values.size())};
    write_npy<std::int64_t>(folder_.path() / set / "labels.npy", shape, values);
  }
  void SetUp() override {
    put("test/logits.npy", {4, 2}, {2, 0, 2, 0, 0, 2, 2, 0});
    labels("test", {0, 0, 1, 1});
    put("csid/fog/logits.npy", {2, 2}, {2, 0, 2, 0});
    labels("csid/fog", {0, 1});
  }
  TempDir folder_, out_;
};

TEST_F(EngineClassifier, PoolsShiftedSetsWhereTheProtocolDoes) {
  const wire::Measured measured =
      measure_classifier(FeatureFolder(folder_.path()), {{"ood", {}}, {"fsood", {"csid/fog"}}}, out_.path(), "cell");
  ASSERT_EQ(measured.accuracy.size(), 2u);
  EXPECT_EQ(measured.classifier, "linear");
  EXPECT_DOUBLE_EQ(measured.accuracy[0].value, 3.0 / 4);
  EXPECT_EQ(measured.accuracy[1].dataset, "test+csid");
  EXPECT_DOUBLE_EQ(measured.accuracy[1].value, 4.0 / 6);
  // -log softmax of the right class: log(1 + e^-2) three times, log(1 + e^2) once.
  EXPECT_NEAR(measured.nll.value(), (3 * std::log1p(std::exp(-2)) + std::log1p(std::exp(2))) / 4, 1e-6);
  const auto quality = nlohmann::json::parse(read_file(out_.path() / "cell/quality.json"));
  EXPECT_EQ(quality.at("classes").at(1).at("correct"), 1);
  EXPECT_EQ(measured.artifacts.at(0).path, "cell/quality.json");
}

TEST_F(EngineClassifier, WhatAccuracyIsTheMeanOfIsWritten) {
  const wire::Measured measured =
      measure_classifier(FeatureFolder(folder_.path()), {{"ood", {}}, {"fsood", {"csid/fog"}}}, out_.path(), "cell");
  ASSERT_EQ(measured.correct.size(), 2u) << "each set once";
  const auto marks = [&](const wire::ScoreFile& file) {
    EXPECT_EQ(file.sha256, sha256_file(out_.path() / file.path));
    const NpyArray array(out_.path() / file.path);
    EXPECT_EQ(array.size(), file.count);
    const auto values = array.values<std::uint8_t>(1);
    return std::vector<int>(values.begin(), values.end());
  };
  EXPECT_EQ(measured.correct[0].set, "correct/test");
  EXPECT_EQ(measured.correct[0].path, "cell/correct/test.npy");
  EXPECT_EQ(marks(measured.correct[0]), (std::vector{1, 1, 1, 0}));
  EXPECT_EQ(measured.correct[1].set, "correct/csid/fog");
  EXPECT_EQ(marks(measured.correct[1]), (std::vector{1, 0}));
}

TEST_F(EngineClassifier, WithoutLabelsThereIsNoAccuracy) {
  fs::remove(folder_.path() / "test/labels.npy");
  EXPECT_NE(refusal(ErrorKind::data,
                    [&] {
                      measure_classifier(FeatureFolder(folder_.path()), {{"ood", {}}}, out_.path(), "cell");
                    })
                .find("no labels"),
            std::string::npos);
}

}  // namespace
}  // namespace nearfar
