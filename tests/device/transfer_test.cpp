// Runs with NEARFAR_DEVICE_MODULE = the fake device, which gives wrong bytes to who touches a buffer too early.
#include "device/transfer.h"

#include "device/device.h"
#include "fake_device/fake_device.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearfar {
namespace {

/// Tensors of many sizes and types, in an order in which buffers grow, shrink and stay.
std::vector<at::Tensor> slabs() {
  std::vector<at::Tensor> all;
  for (const std::int64_t rows : {3, 1, 40, 0, 40, 7})
    for (const at::ScalarType type : {at::kFloat, at::kByte, at::kLong, at::kHalf, at::kBool, at::kDouble})
      all.push_back(at::arange(rows * 5).add(static_cast<std::int64_t>(all.size())).view({rows, 5}).to(type));
  all.push_back(at::full({}, 6));
  return all;
}

/// What crossed since it was made.
class Crossed {
 public:
  Traffic now() const {
    const Traffic all = traffic();
    return {all.to_device - start_.to_device, all.to_device_bytes - start_.to_device_bytes,
            all.to_host - start_.to_host, all.to_host_bytes - start_.to_host_bytes, all.waits - start_.waits};
  }

 private:
  Traffic start_ = traffic();
};

void expect_traffic(const Traffic& found, const Traffic& wanted) {
  EXPECT_EQ(found.to_device, wanted.to_device);
  EXPECT_EQ(found.to_device_bytes, wanted.to_device_bytes);
  EXPECT_EQ(found.to_host, wanted.to_host);
  EXPECT_EQ(found.to_host_bytes, wanted.to_host_bytes);
  EXPECT_EQ(found.waits, wanted.waits);
}

class OnEach : public testing::TestWithParam<std::string> {
 protected:
  at::Device device() const { return open_device(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Transfer, OnEach, testing::Values("cpu", "cuda"), [](const auto& test) { return test.param; });

TEST_P(OnEach, UploaderSendsSlabsOfAnySizeAndType) {
  Uploader uploader(device());
  std::vector<at::Tensor> sent;
  for (const at::Tensor& slab : slabs()) sent.push_back(uploader.send(slab));
  const std::vector<at::Tensor> wanted = slabs();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(sent[i].device(), device());
    EXPECT_EQ(sent[i].scalar_type(), wanted[i].scalar_type());
    EXPECT_TRUE(at::equal(download(sent[i]), wanted[i])) << i;
  }
}

TEST_P(OnEach, DownloaderHandsRoundsOnInOrder) {
  Downloader downloader(device());
  const std::vector<at::Tensor> wanted = slabs();
  std::vector<at::Tensor> found;
  for (const at::Tensor& slab : wanted) {
    const at::Tensor there = upload(slab, device());
    downloader.fetch({there, at::Tensor(), there}, [&](const std::vector<at::Tensor>& host) {
      ASSERT_EQ(host.size(), 3);
      EXPECT_FALSE(host[1].defined());
      EXPECT_TRUE(at::equal(host[0], host[2]));
      EXPECT_TRUE(host[0].is_contiguous());
      found.push_back(host[0].clone());  // overwritten by a later round
    });
  }
  downloader.finish();
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(at::equal(found[i], wanted[i])) << i;
}

TEST_P(OnEach, DownloaderBringsTensorsAsTheyWere) {
  const at::Tensor there = upload(at::ones({4}), device());
  float sum = 0;
  Downloader downloader(device());
  downloader.fetch({there}, [&](const auto& host) { sum = host[0].sum().template item<float>(); });
  there.zero_();
  downloader.finish();
  EXPECT_EQ(sum, 4);
}

TEST_P(OnEach, NothingIsMovedThatIsThereAlready) {
  const at::Tensor there = upload(at::ones({4}), device());
  const Crossed crossed;
  EXPECT_TRUE(upload(there, there.device()).is_same(there));
  EXPECT_FALSE(upload(at::Tensor(), device()).defined());
  EXPECT_FALSE(download(at::Tensor()).defined());
  const at::Tensor here = at::ones({4});
  EXPECT_TRUE(download(here).is_same(here));
  EXPECT_TRUE(upload(here, at::kCPU).is_same(here));
  expect_traffic(crossed.now(), {});
}

TEST(OnTheCpu, NothingIsCopiedAndNothingCounted) {
  const at::Tensor here = at::ones({4});
  const Crossed crossed;
  EXPECT_TRUE(Uploader(at::kCPU).send(here).is_same(here));
  bool same = false;
  Downloader(at::kCPU).fetch({here}, [&](const auto& host) { same = host[0].is_same(here); });
  EXPECT_TRUE(same);  // at once
  expect_traffic(crossed.now(), {});
}

TEST(OnTheDevice, ASlabMayBeOverwrittenAsSoonAsItIsSent) {
  Uploader uploader(open_device("cuda"));
  const at::Tensor slab = at::ones({4});
  const at::Tensor first = uploader.send(slab);
  const at::Tensor second = uploader.send(slab.fill_(2));
  const at::Tensor third = uploader.send(slab.fill_(3));
  slab.zero_();
  EXPECT_EQ(first.sum().item<float>(), 4);
  EXPECT_EQ(second.sum().item<float>(), 8);
  EXPECT_EQ(third.sum().item<float>(), 12);
}

/// The fake's copies arrive when they are asked for; that they are is what OnEach.UploaderSendsSlabs… finds out.
TEST(OnTheDevice, UploadsDoNotWaitForABufferThatHasArrived) {
  Uploader uploader(open_device("cuda"));
  const Crossed crossed;
  uploader.send(at::ones({4}));
  uploader.send(at::ones({8}));
  expect_traffic(crossed.now(), {.to_device = 2, .to_device_bytes = 48});
  uploader.send(at::ones({2}));  // into the first one's buffer
  expect_traffic(crossed.now(), {.to_device = 3, .to_device_bytes = 56});
}

TEST(OnTheDevice, ARoundArrivesWhenTheNextOneIsFetched) {
  const at::Tensor there = at::ones({4}, open_device("cuda"));
  Downloader downloader(there.device());
  std::string arrived;
  const Crossed crossed;
  for (const char name : {'a', 'b', 'c'}) {
    downloader.fetch({there, there}, [&, name](const auto&) { arrived += name; });
    arrived += '.';
  }
  EXPECT_EQ(arrived, ".a.b.");
  downloader.finish();
  downloader.finish();  // has nothing left
  EXPECT_EQ(arrived, ".a.b.c");
  expect_traffic(crossed.now(), {.to_host = 6, .to_host_bytes = 96, .waits = 3});
}

TEST(OnTheDevice, CopiesOfOneTensorAreCounted) {
  const at::Device device = open_device("cuda");
  const at::Tensor pinned = at::empty({4}, at::TensorOptions().pinned_memory(true)).fill_(1);
  const Crossed crossed;
  const at::Tensor there = upload(pinned, device);
  expect_traffic(crossed.now(), {.to_device = 1, .to_device_bytes = 16});
  upload(at::ones({2}), device);
  expect_traffic(crossed.now(), {.to_device = 2, .to_device_bytes = 24, .waits = 1});
  download(there);
  expect_traffic(crossed.now(), {.to_device = 2, .to_device_bytes = 24, .to_host = 1, .to_host_bytes = 16, .waits = 2});
  EXPECT_TRUE(upload(there, at::kCPU).is_cpu());
  EXPECT_EQ(crossed.now().to_host, 2);
}

TEST(OnTheDevice, CountsAgreeWithWhatTheDeviceSaw) {
  const at::Device device = open_device("cuda");
  fake::reset_counts();
  const Crossed crossed;
  Uploader uploader(device);
  Downloader downloader(device);
  for (const at::Tensor& slab : slabs())
    if (slab.numel() > 0) downloader.fetch({uploader.send(slab)}, [](const auto&) {});
  downloader.finish();
  const fake::Counts seen = fake::counts();
  expect_traffic(crossed.now(), {seen.to_device, seen.to_device_bytes, seen.to_host, seen.to_host_bytes, seen.waits});
}

TEST(OnTheDevice, SlabsAndRoundsNeedNoOtherWaits) {
  const at::Device device = open_device("cuda");
  Uploader uploader(device);
  Downloader downloader(device);
  const ForbidWaits none;
  for (const at::Tensor& slab : slabs()) downloader.fetch({uploader.send(slab).clone()}, [](const auto&) {});
  downloader.finish();
  EXPECT_THROW(upload(at::ones({2}), device), c10::Error);
  EXPECT_THROW(download(at::ones({2}, device)), c10::Error);
}

}  // namespace
}  // namespace nearfar
