#include "models/checkpoint.h"

#include "base/error.h"
#include "base/files.h"
#include "models/safetensors.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

Checkpoint example(Network& network) {
  Checkpoint checkpoint;
  checkpoint.identity = "cell 5";
  checkpoint.spec = network.spec();
  checkpoint.step = 12;
  checkpoint.epoch_loss_sum = 0.1 + 0.2;  // no short decimal: must come back bit for bit
  checkpoint.loss_average = 1.0 / 3;
  checkpoint.best_epoch = 1;
  checkpoint.best_value = 0.75;
  checkpoint.history = {{0, 1.5, 0.1, 0.5}, {1, 1.25, 0.05, std::nullopt}};
  checkpoint.network = network.named_tensors();
  checkpoint.momentum = {{"head.weight", at::arange(6, at::kFloat), false}};
  checkpoint.loss = {{"prototypes", at::arange(4, at::kFloat), false}};
  return checkpoint;
}

TEST(Checkpoint, ComesBackWhole) {
  const TempDir folder;
  const auto network = make_network({"resnet8", 1, 28, 28, 6, HeadKind::embedding, "linear", 8}, 1);
  const Checkpoint written = example(*network);
  write_checkpoint(last_checkpoint(folder.path()), written);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "last.json"));
  const Checkpoint read = read_checkpoint(last_checkpoint(folder.path()));
  EXPECT_EQ(read.identity, written.identity);
  EXPECT_EQ(read.spec, written.spec);
  EXPECT_EQ(read.step, 12);
  EXPECT_EQ(read.epoch_loss_sum, written.epoch_loss_sum);
  EXPECT_EQ(read.loss_average, written.loss_average);
  EXPECT_EQ(read.best_epoch, 1);
  EXPECT_EQ(read.best_value, 0.75);
  EXPECT_EQ(read.history, written.history);
  EXPECT_EQ(read.network.size(), written.network.size());
  ASSERT_EQ(read.momentum.size(), 1u);
  EXPECT_EQ(read.momentum[0].name, "head.weight");
  ASSERT_EQ(read.loss.size(), 1u);
  EXPECT_EQ(read.loss[0].name, "prototypes");
}

TEST(LoadNetwork, ComputesAsTheOneThatWasSaved) {
  const TempDir folder;
  const auto network = make_network({"resnet8", 1, 28, 28, 6, HeadKind::linear, "mlp", 8}, 1);
  network->features(at::randn({8, 1, 28, 28}));  // moves the running statistics
  write_checkpoint(best_checkpoint(folder.path()), example(*network));
  const auto loaded = load_network(best_checkpoint(folder.path()));
  EXPECT_FALSE(loaded->is_training());
  const at::Tensor images = at::randn({2, 1, 28, 28});
  const EvalScope scope(*network);
  EXPECT_TRUE(at::equal(loaded->features(images).detach(), network->features(images)));
}

TEST(Checkpoint, RefusesOtherFiles) {
  const TempDir folder;
  const auto file = folder.path() / "last.safetensors";
  EXPECT_THROW(read_checkpoint(file), Error);
  write_safetensors(file, {{"a", at::arange(2)}}, {});
  EXPECT_THROW(read_checkpoint(file), Error);
  write_safetensors(file, {{"a", at::arange(2)}}, {{"nearfar", "{\"format\":\"nearfar-checkpoint-0\"}"}});
  EXPECT_THROW(read_checkpoint(file), Error);
  write_safetensors(file, {{"a", at::arange(2)}}, {{"nearfar", "{\"format\":\"nearfar-checkpoint-1\"}"}});
  EXPECT_THROW(read_checkpoint(file), Error);
}

}  // namespace
}  // namespace nearfar
