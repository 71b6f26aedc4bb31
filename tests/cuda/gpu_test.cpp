/// The kernels and graphs on a real GPU, against the CPU to the bit. Skipped where there is none.
#include "device/device.h"
#include "device/transfer.h"
#include "image_sets.h"
#include "kernels/augment.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <thread>
#include <vector>

namespace nearfar {
namespace {

using testing::ImageSet;
using testing::long_tensor;
using testing::same_memory;

class OnTheGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (probe_devices().devices == 0) GTEST_SKIP() << "no GPU: " << probe_devices().reason;
  }
  at::Device gpu() { return open_device("cuda"); }
};

const AugmentRecipe kRecipes[] = {{},
                                  {.views = 2, .shift = 4, .flip = true},
                                  {.smallest_crop = 0.08, .flip = true},
                                  {.views = 2,
                                   .smallest_crop = 0.2,
                                   .flip = true,
                                   .jitter = {0.4, 0.4, 0.4, 0.1},
                                   .jitter_share = 0.8,
                                   .gray_share = 0.2},
                                  {.shift = 1, .jitter = {0.9, 2, 0.9, 0.5}, .jitter_share = 1}};

TEST_F(OnTheGpu, AugmentsAndNormalisesAsTheCpuToTheBit) {
  for (const auto& [channels, height, width] :
       {std::array{3, 32, 32}, {1, 28, 28}, {3, 37, 53}, {3, 224, 224}, {1, 1, 9}}) {
    const ImageSet set(64, channels, height, width, 11);
    const at::Tensor rows = long_tensor({0, 63, 5, 5, 17, 40, 41, 42}), pixels = upload(set.pixels, gpu()),
                     table = upload(set.table, gpu());
    EXPECT_TRUE(same_memory(normalize(pixels, table).cpu(), normalize(set.pixels, set.table)));
    for (const AugmentRecipe& recipe : kRecipes) {
      const at::Tensor there = augment(pixels, upload(rows, gpu()), table, recipe, 99, 3);
      EXPECT_TRUE(same_memory(there.cpu(), augment(set.pixels, rows, set.table, recipe, 99, 3)))
          << channels << " x " << height << " x " << width << ", recipe " << &recipe - kRecipes;
    }
  }
}

TEST_F(OnTheGpu, WaitsForNothing) {
  const ImageSet set(8, 3, 32, 32, 1);
  const at::Tensor pixels = upload(set.pixels, gpu()), table = upload(set.table, gpu()),
                   rows = upload(long_tensor({1, 2}), gpu());
  const ForbidWaits none;
  augment(pixels, rows, table, kRecipes[3], 1, 2);
  const at::Tensor normal = normalize(pixels, table);
  EXPECT_THROW(normal.sum().item<float>(), c10::Error);
}

TEST_F(OnTheGpu, OneGraphServesEveryEpoch) {
  const ImageSet set(8, 3, 32, 32, 1);
  const at::Tensor host_rows = long_tensor({1, 2, 7});
  const at::Tensor pixels = upload(set.pixels, gpu()), table = upload(set.table, gpu());
  at::Tensor rows = upload(host_rows, gpu()), epoch = at::full({1}, 0, rows.options());
  const auto graph = make_graph(gpu());
  graph->begin();
  const at::Tensor out = augment(pixels, rows, table, kRecipes[3], 99, epoch);
  graph->end();
  for (const std::int64_t now : {4, 0, 7}) {
    epoch.fill_(now);
    graph->replay();
    EXPECT_TRUE(out.cpu().equal(augment(set.pixels, host_rows, set.table, kRecipes[3], 99, now))) << now;
  }
}

/// A step of gradient descent on device tensors that stay where they are.
struct Step {
  at::Tensor weight, images, loss;
  void run() {
    if (weight.grad().defined()) weight.mutable_grad().zero_();
    loss = at::linear(images, weight).square().mean();
    loss.backward();
    const c10::AutoGradMode none(false);
    weight.sub_(weight.grad(), 0.1);
  }
};

TEST_F(OnTheGpu, RecordsAStepThatWasWarmedUpOnTheSameSideStream) {
  const auto options = at::TensorOptions(at::kFloat).device(gpu());
  const auto fresh = [&] {
    return Step{at::full({4, 8}, 0.5, options).set_requires_grad(true), at::ones({16, 8}, options), {}};
  };
  Step eager = fresh(), step = fresh();
  for (int i = 0; i < 5; ++i) eager.run();
  wait_for(gpu());
  const c10::impl::VirtualGuardImpl streams(gpu().type());
  const auto graph = make_graph(gpu());
  {
    const c10::StreamGuard side(streams.getStreamFromGlobalPool(gpu()));
    step.run(), step.run();
    graph->begin();
    step.run();
    graph->end();
  }
  wait_for(gpu());
  for (int i = 0; i < 3; ++i) graph->replay();
  wait_for(gpu());
  EXPECT_TRUE(step.weight.detach().equal(eager.weight.detach()));
  EXPECT_TRUE(step.loss.detach().equal(eager.loss.detach()));
}

TEST_F(OnTheGpu, GivesFactsAndMemory) {
  const DeviceFacts facts = device_facts(gpu());
  EXPECT_FALSE(facts.name.empty());
  EXPECT_NE(facts.capability.find('.'), std::string::npos);
  const std::int64_t before = device_memory(gpu()).free;
  {
    const at::Tensor held = at::empty({64 << 20}, at::TensorOptions(at::kByte).device(gpu()));
    EXPECT_LE(device_memory(gpu()).free, before - (60 << 20));
    EXPECT_GE(device_memory(gpu()).peak, 64 << 20);
  }
  EXPECT_GE(device_memory(gpu()).free, before - (8 << 20));  // unused, though LibTorch keeps it
  EXPECT_LE(device_memory(gpu()).free, facts.bytes);
}

/// One rank of a group: everything that it can do, without a wait.
void take_part(const std::string& group, int rank, int size) {
  const at::Device device = open_device("cuda:" + std::to_string(rank));
  const c10::DeviceGuard guard(device);
  const auto options = at::TensorOptions(device);
  const auto collectives = make_collectives(device, group, rank, size);
  const at::Tensor sum = at::full({1000}, rank + 1.5, options.dtype(at::kFloat)),
                   later = at::full({1000}, rank + 1.5, options.dtype(at::kDouble)),
                   count = at::full({1}, rank + 1, options.dtype(at::kLong)),
                   told = at::full({3}, rank + 7, options.dtype(at::kHalf)),
                   all = at::full({size, 4}, -1, options.dtype(at::kInt));
  const at::Tensor own = at::full({4}, rank, options.dtype(at::kInt));
  collectives->begin_sum(later);
  collectives->sum(sum);
  collectives->sum(count);
  collectives->broadcast(told);
  collectives->gather(own, all);
  collectives->finish_sums();
  later.mul_(2);
  const double total = size * (size + 1) / 2;
  EXPECT_TRUE(sum.cpu().equal(at::full({1000}, total + 0.5 * size, at::kFloat)));
  EXPECT_TRUE(later.cpu().equal(at::full({1000}, 2 * total + size, at::kDouble)));
  EXPECT_EQ(count.item<std::int64_t>(), size * (size + 1) / 2);
  EXPECT_TRUE(told.cpu().equal(at::full({3}, 7, at::kHalf)));
  for (int other = 0; other < size; ++other) EXPECT_EQ(all[other].sum().item<std::int64_t>(), 4 * other);
}

TEST_F(OnTheGpu, RanksTellEachOtherThroughNccl) {
  const std::string way = device_facts(gpu()).collectives;
  ASSERT_TRUE(way.starts_with("NCCL 2.")) << way;
  EXPECT_TRUE(device_facts(gpu()).identity.starts_with("GPU-"));
  const int size = std::min(probe_devices().devices, 2);  // with one GPU a group of one
  std::printf("%s with %d\n", way.c_str(), size);
  const std::string group = new_device_group(gpu());
  std::vector<std::thread> others;
  for (int rank = 1; rank < size; ++rank) others.emplace_back(take_part, group, rank, size);
  take_part(group, 0, size);
  for (std::thread& other : others) other.join();
}

}  // namespace
}  // namespace nearfar
