#include "models/checkpoint.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
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
  checkpoint.history = {{0, 1.5, 0.1, 0.5, std::nullopt}, {1, 1.25, 0.05, std::nullopt, 3.5}};
  checkpoint.network = network.named_tensors();
  checkpoint.best_sha256 = "ab12";
  checkpoint.ema = {{"head.weight", at::arange(5, at::kFloat), false}};
  checkpoint.optimizer = {{"momentum", "head.weight", at::arange(6, at::kFloat)},
                          {"exp_avg", "loss.centres", at::arange(3, at::kFloat)}};
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
  EXPECT_EQ(read.best_sha256, "ab12");
  EXPECT_EQ(read.format, 2);
  ASSERT_EQ(read.ema.size(), 1u);
  EXPECT_EQ(read.ema[0].name, "head.weight");
  EXPECT_TRUE(at::equal(read.ema[0].tensor, written.ema[0].tensor));
  ASSERT_EQ(read.optimizer.size(), 2u);
  const bool swapped = read.optimizer[0].slot == "exp_avg";  // a file's order is its own
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read.optimizer[i].slot, written.optimizer[swapped ? 1 - i : i].slot);
    EXPECT_EQ(read.optimizer[i].parameter, written.optimizer[swapped ? 1 - i : i].parameter);
    EXPECT_TRUE(at::equal(read.optimizer[i].tensor, written.optimizer[swapped ? 1 - i : i].tensor));
  }
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

TEST(Checkpoint, ReadsFormat1) {
  const TempDir folder;
  const auto network = make_network({"resnet8", 1, 28, 28, 6, HeadKind::linear, "mlp", 8}, 1);
  Checkpoint checkpoint = example(*network);
  checkpoint.best_sha256.clear();
  checkpoint.ema.clear();
  checkpoint.optimizer.pop_back();
  const auto file = last_checkpoint(folder.path());
  write_checkpoint(file, checkpoint);
  const TensorFile content = read_safetensors(file);
  std::string state = content.metadata.at("nearfar");  // format 1 had another number and no hash
  state = replace_all(state, "nearfar-checkpoint-2", "nearfar-checkpoint-1");
  state = replace_all(state, R"("best_sha256":"",)", "");
  write_safetensors(file, content.tensors, {{"nearfar", state}});
  const Checkpoint read = read_checkpoint(file);
  EXPECT_EQ(read.format, 1);
  EXPECT_EQ(read.step, 12);
  ASSERT_EQ(read.optimizer.size(), 1u);
  EXPECT_EQ(read.optimizer[0].slot, "momentum");
  EXPECT_EQ(read.optimizer[0].parameter, "head.weight");
  EXPECT_NO_THROW(load_network(file));
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
