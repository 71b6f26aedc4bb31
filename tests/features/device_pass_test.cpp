// A feature pass on the fake device: the CPU's files to the byte, and one wait a slab.
#include "base/files.h"
#include "device/device.h"
#include "fake_device/fake_device.h"
#include "features/extract.h"
#include "features/folder.h"
#include "view_stream.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include <limits>

namespace nearfar {
namespace {

constexpr const char* kFiles[] = {"features.npy", "logits.npy", "labels.npy", "manifest.json"};

class DevicePass : public ::testing::Test {
 protected:
  DevicePass() {
    for (std::int64_t i = 0; i < kImages * 64; ++i) pixels_.push_back(static_cast<std::uint8_t>(i * 37 % 251));
    for (std::int64_t i = 0; i < kImages; ++i) labels_.push_back(i % 3);
    images_ = {pixels_, labels_, kImages, 1, 8, 8, {0.5}, {0.5}};
  }
  std::unique_ptr<Network> network(at::Device device) const {
    return make_network({"resnet8", 1, 8, 8, 3, HeadKind::linear, "mlp", 4}, 1, device);
  }
  std::filesystem::path set(const std::string& name) const { return folder_.path() / name / "test"; }
  void pass(const std::string& name, Network& network, std::int64_t slab, const std::vector<Observer>& observers = {},
            const std::vector<std::int64_t>& bad = {}) {
    const auto open = [&] { return std::make_unique<ViewStream>(images_, slab, bad); };
    ensure_features(
        set(name), {"weights", "images"}, [&]() -> Network& { return network; }, {images_.mean, images_.std}, open,
        observers);
  }
  void expect_same(const std::string& one, const std::string& other) const {
    for (const char* file : kFiles) EXPECT_EQ(read_file(set(one) / file), read_file(set(other) / file)) << file;
  }

  static constexpr std::int64_t kImages = 41;
  at::Device device_ = open_device("cuda");
  TempDir folder_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::int64_t> labels_;
  ImageView images_;
};

TEST_F(DevicePass, WritesTheCpusFiles) {
  const auto here = network(at::kCPU), there = network(device_);
  pass("cpu", *here, 8, {}, {3, 9, 40});
  pass("device", *there, 8, {}, {3, 9, 40});
  expect_same("cpu", "device");
}

TEST_F(DevicePass, WaitsOnceASlab) {
  const auto there = network(device_);
  const auto waits = [&](const std::string& name, std::int64_t slab) {
    fake::reset_counts();
    pass(name, *there, slab);
    return fake::counts().waits;
  };
  const std::int64_t four = waits("four", 11), eleven = waits("eleven", 4);
  EXPECT_LE(eleven - four, 7);
  EXPECT_LE(four, 4 + 2);  // the table of the normalisation; what was there before
}

TEST_F(DevicePass, ShowsObserversWhatTheyWouldSeeOnACpu) {
  const auto gradients = [](std::string name) {
    return Observer{.key = std::move(name),
                    .needs = kInputGradients | kMapStatistics,
                    .observe =
                        [](NetworkBatch& batch) {
                          const at::Tensor gradient = batch.logit_gradient(batch.logits().softmax(1));
                          return at::stack({gradient.abs().sum({1, 2, 3}), batch.map(1).mean({1, 2, 3})}, 1);
                        },
                    .failed = [](const std::exception_ptr& why) { std::rethrow_exception(why); }};
  };
  const auto here = network(at::kCPU), there = network(device_);
  pass("cpu", *here, 8, {gradients("look")});
  pass("device", *there, 8, {gradients("look")});
  expect_same("cpu", "device");
  EXPECT_TRUE(at::equal(map_columns(set("cpu"), "look"), map_columns(set("device"), "look")));
}

TEST_F(DevicePass, TriesFewerImagesWhereMemoryEnds) {
  const auto here = network(at::kCPU), there = network(device_);
  pass("cpu", *here, 32, {}, {3, 9, 40});
  constexpr std::int64_t kLittle = 80 << 10;
  pass("plenty", *there, 32);
  EXPECT_GT(fake::bytes_peak(), fake::bytes_now() + kLittle);
  const std::int64_t before = fake::capacity();
  fake::set_capacity(fake::bytes_now() + kLittle);
  pass("device", *there, 32, {}, {3, 9, 40});
  fake::set_capacity(before);
  EXPECT_EQ(read_file(set("cpu") / "labels.npy"), read_file(set("device") / "labels.npy"));
  const FeatureFolder one(folder_.path() / "cpu"), other(folder_.path() / "device");
  const Needs all = kFeatures | kLogits;
  EXPECT_TRUE(one.set("test", all).features.allclose(other.set("test", all).features, 1e-5, 1e-6));
  EXPECT_TRUE(one.set("test", all).logits.allclose(other.set("test", all).logits, 1e-5, 1e-6));
}

TEST_F(DevicePass, TellsWhichImageIsNotFinite) {
  const auto there = network(device_);
  for (const NamedTensor& named : there->named_tensors()) {
    if (named.name == "head.bias") {
      at::Tensor bias = named.tensor.detach();
      bias.fill_(std::numeric_limits<double>::quiet_NaN());
    }
  }
  pass("device", *there, 8);
  const FeatureFacts facts = read_facts(set("device"));
  ASSERT_TRUE(facts.check);
  EXPECT_EQ(facts.check->features.rows, 0);
  EXPECT_EQ(facts.check->logits.rows, kImages);
  EXPECT_EQ(facts.check->logits.first, 0);
  EXPECT_NE(facts.check->cause.find("'head.bias' holds NaN"), std::string::npos) << facts.check->cause;
}

TEST_F(DevicePass, RunsANetworkOverImagesInMemory) {
  const auto here = network(at::kCPU), there = network(device_);
  const FeatureBatch cpu = run_network(*here, images_, 16), device = run_network(*there, images_, 16);
  EXPECT_EQ(device.features.device(), device_);
  EXPECT_TRUE(at::equal(cpu.features, device.features.cpu()));
  EXPECT_TRUE(at::equal(cpu.logits, device.logits.cpu()));
  EXPECT_TRUE(at::equal(cpu.labels, device.labels.cpu()));
}

}  // namespace
}  // namespace nearfar
