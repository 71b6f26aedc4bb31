// Ranks whose tensors go from device to device, on the fake device.
#include "base/error.h"
#include "device/device.h"
#include "fake_device/fake_device.h"
#include "on_ranks.h"
#include "train/reducer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace nearfar {
namespace {

using testing::on_ranks;

at::TensorOptions there(at::ScalarType type) { return at::TensorOptions(type).device(open_device("cuda")); }

/// Bytes that came back to the host since the last call.
std::int64_t to_host() {
  static std::int64_t before = 0;
  const std::int64_t now = fake::counts().to_host_bytes;
  return now - std::exchange(before, now);
}

void expect(const at::Tensor& found, const at::Tensor& wanted) {
  EXPECT_EQ(found.device().type(), fake::kType);
  EXPECT_TRUE(at::equal(found.cpu(), wanted)) << found.cpu();
}

TEST(DeviceRanks, SumBroadcastAndGatherWithoutTheHost) {
  on_ranks(3, [](RankGroup& group) {
    const at::Device device = open_device("cuda");
    EXPECT_FALSE(group.carries(device));
    EXPECT_EQ(group.use(device), "sockets");
    EXPECT_TRUE(group.carries(device));
    EXPECT_FALSE(group.carries(at::kCPU));
    const int rank = group.rank();
    const at::Tensor sum = at::full({2, 2}, rank + 1.0, there(at::kDouble)), column = sum.select(1, 0),
                     count = at::full({1}, rank, there(at::kLong)), told = at::full({}, rank + 5, there(at::kFloat));
    const std::vector<std::int64_t> counts{2, 1, 3};
    const std::int64_t rows = counts[static_cast<std::size_t>(rank)];
    const at::Tensor own = at::full({rows, 2}, rank, there(at::kFloat)),
                     label = at::full({rows}, rank, there(at::kInt));
    at::Tensor all, labels;
    {
      const ForbidWaits none;
      group.sum(column);  // not dense
      group.sum(count);
      group.broadcast(told);
      all = group.gather(own, counts);
      labels = group.gather(label, counts);
    }
    const at::Tensor of_the_host = at::full({1}, 1.0, at::kFloat);
    group.sum(of_the_host);  // and nobody reads while another forbids it
    EXPECT_EQ(of_the_host.item<float>(), 3);
    expect(sum, at::tensor({6.0, rank + 1.0, 6.0, rank + 1.0}).view({2, 2}));
    expect(count, at::full({1}, 3, at::kLong));
    expect(told, at::full({}, 5, at::kFloat));
    expect(all.select(1, 1), at::tensor({0.0F, 0.0F, 1.0F, 2.0F, 2.0F, 2.0F}));
    expect(labels, at::tensor({0, 0, 1, 2, 2, 2}, at::kInt));
  });
}

/// Two passes over four parameters, the second one's gradients summed.
void reduce(RankGroup& group, std::int64_t bucket) {
  std::vector<NamedTensor> parameters;
  for (int i = 0; i < 4; ++i)
    parameters.push_back({std::to_string(i), at::full({3}, 1.0, there(at::kFloat)).set_requires_grad(true), true});
  GradientReducer reducer(group, parameters, bucket);
  for (int pass = 0; pass < 2; ++pass) {
    at::Tensor loss = parameters[0].tensor.sum().mul(group.rank() + 1);
    for (int i = 1; i < 3; ++i) loss = loss.add(parameters[static_cast<std::size_t>(i)].tensor.sum().mul(i));
    if (pass == 1) reducer.begin();
    loss.backward();
  }
  reducer.finish();
  const float wanted[] = {2 + 4, 4, 8};
  for (std::size_t i = 0; i < 3; ++i) expect(parameters[i].tensor.grad(), at::full({3}, wanted[i]));
  EXPECT_FALSE(parameters[3].tensor.grad().defined());
}

TEST(DeviceRanks, GradientsAreSummedWithoutTheHost) {
  for (const std::int64_t bucket : {1, 20, 1 << 20}) {
    to_host();
    on_ranks(2, [&](RankGroup& group) {
      EXPECT_EQ(group.use(open_device("cuda")), "sockets");
      reduce(group, bucket);
    });
    EXPECT_EQ(to_host(), 2 * 3 * 3 * 4);  // what expect() reads, on both
  }
}

TEST(DeviceRanks, GoByTheHostWhereTwoHaveOneDevice) {
  ::setenv("NEARFAR_FAKE_IDENTITY", "the same", 1);
  on_ranks(2, [&](RankGroup& group) {
    EXPECT_EQ(group.use(open_device("cuda")), "the host: ranks 0 and 1 have the same device");
    EXPECT_FALSE(group.carries(open_device("cuda")));
    reduce(group, 20);
  });
  ::unsetenv("NEARFAR_FAKE_IDENTITY");
}

TEST(DeviceRanks, SayThatTheOthersAreGone) {
  RankGroup first({.rank = 0, .size = 2});
  std::thread other([&] {
    RankGroup group({.rank = 1, .size = 2, .port = first.port()});
    group.join();
    group.use(open_device("cuda"));
  });
  first.join();
  first.use(open_device("cuda"));
  other.join();
  try {
    first.sum(at::full({1}, 1.0, there(at::kFloat)));
    FAIL() << "a sum with nobody";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "rank 0 of 2: the others are gone: fake device: another rank is gone");
  }
}

}  // namespace
}  // namespace nearfar
