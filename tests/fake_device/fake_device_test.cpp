// Every trap of the fake device catches what it is for.
#include "fake_device/fake_device.h"

#include "fake_device/message_of.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

namespace nearfar::fake {
namespace {

using testing::HasSubstr;

at::Tensor matrix() { return at::arange(16, at::kFloat).view({4, 4}); }
at::Tensor pinned_like(const at::Tensor& tensor) {
  return at::empty_like(tensor, tensor.options().pinned_memory(true));
}

c10::Event event_now() {
  c10::Event event(kType);
  event.record(c10::impl::VirtualGuardImpl(kType).getStream(device()));
  return event;
}
void synchronize() { c10::impl::VirtualGuardImpl(kType).synchronizeDevice(0); }

TEST(FakeAddress, EndsAProcessThatReadsIt) {
  const at::Tensor there = matrix().to(device());
  const void* address = there.storage().unsafeGetStorageImpl()->_mutable_data_ptr_no_checks().get();
  EXPECT_DEATH(static_cast<void>(static_cast<const volatile float*>(address)[3]), "host code touched the memory");
}

TEST(FakeAddress, IsNotTold) {
  const at::Tensor there = matrix().to(device());
  const auto wanted = HasSubstr("host code asked for the address");
  EXPECT_THAT(message_of([&] { there.const_data_ptr<float>(); }), wanted);
  EXPECT_THAT(message_of([&] { there.mutable_data_ptr<float>(); }), wanted);
  EXPECT_THAT(message_of([&] { there.select(0, 1).data_ptr(); }), wanted);
  EXPECT_THAT(message_of([&] { there.accessor<float, 2>(); }), wanted);
}

TEST(FakeOperator, RefusesTensorsOfBothDevices) {
  const at::Tensor here = matrix(), there = here.to(device());
  const auto refusal = [](const char* name) {
    return HasSubstr(std::string(name) + " is given tensors of the device");
  };
  EXPECT_THAT(message_of([&] { there.add(here); }), refusal("aten::add"));
  EXPECT_THAT(message_of([&] { there.index_select(0, at::arange(2)); }), refusal("aten::index_select"));
  EXPECT_THAT(message_of([&] {
                at::conv2d(there.view({1, 1, 4, 4}), here.view({1, 1, 4, 4}));
              }),
              refusal("aten::convolution"));
}

TEST(FakeOperator, TakesACpuTensorWithoutDimensionsForANumber) {
  const at::Tensor there = at::ones({3}, device());
  EXPECT_TRUE(at::equal(there.mul(at::full({}, 2.0)).cpu(), at::full({3}, 2.0F)));
}

TEST(FakeOperator, RefusesACpuGenerator) {
  const at::Tensor there = at::empty({4}, device());
  const at::Generator cpu = at::make_generator<at::CPUGeneratorImpl>(1);
  EXPECT_THAT(message_of([&] { there.uniform_(0, 1, cpu); }), HasSubstr("generator"));
}

TEST(FakeGenerator, GivesTheCpusNumbersForASeed) {
  at::Generator there = at::globalContext().defaultGenerator(device()).clone();
  there.set_current_seed(7);
  const at::Tensor drawn = at::empty({8}, device()).uniform_(0, 1, there);
  const at::Tensor wanted = at::empty({8}).uniform_(0, 1, at::make_generator<at::CPUGeneratorImpl>(7));
  EXPECT_TRUE(at::equal(drawn.cpu(), wanted));
}

TEST(FakeCounts, SeeHiddenCopiesAndWaits) {
  const at::Tensor there = matrix().to(device());
  reset_counts();
  there.sum().item<float>();
  there.nonzero();
  there.index({there.gt(3)});  // finds out how many
  there.index_select(0, at::arange(2).to(device()));
  const Counts seen = counts();
  EXPECT_EQ(seen.to_host, 1);  // of item()
  EXPECT_EQ(seen.to_host_bytes, 4);
  EXPECT_EQ(seen.to_device, 1);  // of the index
  EXPECT_EQ(seen.to_device_bytes, 16);
  EXPECT_EQ(seen.waits, 4);
  EXPECT_EQ(seen.waits_of,
            (std::map<std::string, std::int64_t>{
                {"aten::_local_scalar_dense", 1}, {"aten::nonzero", 1}, {"aten::index", 1}, {"copy to device", 1}}));
  EXPECT_EQ(seen.kernels_of.at("aten::sum"), 1);
}

TEST(FakeCounts, ForbidSyncsMakesWaitsErrors) {
  const at::Tensor here = matrix(), there = here.to(device());
  const ForbidSyncs none;
  const auto wait = HasSubstr("makes the host wait for the device");
  EXPECT_THAT(message_of([&] { there.sum().item<float>(); }), wait);
  EXPECT_THAT(message_of([&] { there.cpu(); }), wait);
  EXPECT_THAT(message_of([&] { here.to(device()); }), wait);
  EXPECT_THAT(message_of([&] { here.to(device(), at::kFloat, /*non_blocking=*/true); }), wait);  // is not pinned
  EXPECT_THAT(message_of([&] { there.masked_select(there.gt(0)); }), wait);
  EXPECT_THAT(message_of([&] { synchronize(); }), wait);
  EXPECT_EQ(message_of([&] { there.add(there).softmax(1).sum(); }), "no error");
}

TEST(FakeCounts, ForbidSyncsAllowsEvents) {
  const at::Tensor source = pinned_like(matrix()).copy_(matrix());
  const ForbidSyncs none;
  EXPECT_EQ(message_of([&] {
              const at::Tensor there = source.to(device(), at::kFloat, /*non_blocking=*/true);
              event_now().synchronize();
            }),
            "no error");
}

TEST(FakePinned, IsKnownByAnyAddressInside) {
  const at::Tensor pinned = pinned_like(matrix());
  EXPECT_TRUE(pinned.is_pinned());
  EXPECT_TRUE(pinned.narrow(0, 2, 1).clone().is_pinned() == false);
  EXPECT_FALSE(matrix().is_pinned());
  reset_counts();
  at::zeros({4}, device()).copy_(pinned.select(0, 3), /*non_blocking=*/true);
  EXPECT_EQ(counts().waits, 0);
  EXPECT_EQ(counts().to_device, 1);
}

TEST(FakeDownload, HoldsNoNumbersBeforeTheWait) {
  const at::Tensor there = matrix().to(device()), host = pinned_like(matrix());
  host.copy_(there, /*non_blocking=*/true);
  EXPECT_TRUE(host.isnan().all().item<bool>());
  synchronize();
  EXPECT_TRUE(at::equal(host, matrix()));
}

TEST(FakeDownload, BringsWhatTheDeviceHeldWhenItWasAskedFor) {
  const at::Tensor there = matrix().to(device()), host = pinned_like(matrix());
  host.copy_(there, /*non_blocking=*/true);
  there.zero_();  // later in the stream
  synchronize();
  EXPECT_TRUE(at::equal(host, matrix()));
}

TEST(FakeDownload, ConvertsOnTheDevice) {
  const at::Tensor there = matrix().to(device());
  const at::Tensor host = at::empty({4, 4}, at::TensorOptions(at::kDouble).pinned_memory(true));
  host.copy_(there, /*non_blocking=*/true);
  synchronize();
  EXPECT_TRUE(at::equal(host, matrix().to(at::kDouble)));
}

TEST(FakeEvent, FinishesTheCopiesBeforeIt) {
  const at::Tensor there = matrix().to(device()), first = pinned_like(matrix()), second = pinned_like(matrix());
  first.copy_(there, /*non_blocking=*/true);
  const c10::Event event = event_now();
  second.copy_(there, /*non_blocking=*/true);
  event.synchronize();
  EXPECT_TRUE(at::equal(first, matrix()));
  EXPECT_TRUE(second.isnan().all().item<bool>());
  EXPECT_TRUE(event_now().query());  // asking is enough, as on a GPU that is done by then
  EXPECT_TRUE(at::equal(second, matrix()));
}

TEST(FakeUpload, ReadsItsSourceLate) {
  const at::Tensor source = pinned_like(matrix()).copy_(matrix());
  const at::Tensor there = source.to(device(), at::kFloat, /*non_blocking=*/true);
  source.zero_();  // too early
  const at::Tensor seen = there.clone();
  EXPECT_THAT(message_of([&] { synchronize(); }), HasSubstr("pinned memory was written while"));
  EXPECT_TRUE(at::equal(seen.cpu(), at::zeros({4, 4})));
}

TEST(FakeUpload, ComplainsAboutASourceThatIsWrittenAfterTheFirstUseToo) {
  const at::Tensor source = pinned_like(matrix()).copy_(matrix());
  const at::Tensor there = source.to(device(), at::kFloat, /*non_blocking=*/true);
  there.add(1);
  source.zero_();
  EXPECT_THAT(message_of([&] { event_now().synchronize(); }), HasSubstr("pinned memory was written while"));
  EXPECT_TRUE(at::equal(there.cpu(), matrix()));  // the next wait is a good one
}

TEST(FakeUpload, LeavesItsSourceFreeAfterTheWait) {
  const at::Tensor source = pinned_like(matrix()).copy_(matrix());
  const at::Tensor there = source.to(device(), at::kFloat, /*non_blocking=*/true);
  event_now().synchronize();
  source.zero_();
  EXPECT_TRUE(at::equal(there.cpu(), matrix()));
}

TEST(FakeUpload, KeepsTheOrderOfTheStream) {
  const at::Tensor ones = pinned_like(matrix()).fill_(1), twos = pinned_like(matrix()).fill_(2);
  const at::Tensor there = at::empty({4, 4}, device());
  there.copy_(ones, /*non_blocking=*/true);
  const at::Tensor after_ones = there.clone();
  there.copy_(twos, /*non_blocking=*/true);
  ones.copy_(there, /*non_blocking=*/true);  // into the first one's source
  there.zero_();
  synchronize();
  EXPECT_EQ(after_ones.sum().item<float>(), 16);
  EXPECT_EQ(ones.sum().item<float>(), 32);
  EXPECT_EQ(there.sum().item<float>(), 0);
}

TEST(FakeMemory, IsNotANumberBeforeItIsWritten) {
  EXPECT_TRUE(at::empty({3}, device()).isnan().all().item<bool>());
  EXPECT_TRUE(pinned_like(matrix()).isnan().all().item<bool>());
}

TEST(FakeMemory, HasAnEndAndIsCounted) {
  const std::int64_t before = capacity();
  const std::int64_t held = bytes_now();
  {
    const at::Tensor megabyte = at::empty({1 << 18}, device());
    EXPECT_EQ(bytes_now(), held + (1 << 20));
    set_capacity(bytes_now() + 100);
    EXPECT_THROW(at::empty({26}, device()), c10::OutOfMemoryError);
    EXPECT_EQ(at::empty({25}, device()).numel(), 25);
  }
  EXPECT_EQ(bytes_now(), held);
  EXPECT_GE(bytes_peak(), held + (1 << 20) + 100);
  set_capacity(before);
  EXPECT_EQ(at::accelerator::getDeviceStats(0).allocated_bytes[0].current, held);
  EXPECT_EQ(at::accelerator::getMemoryInfo(0).second, static_cast<std::size_t>(before));
}

TEST(FakeMemory, GrowsWithResize) {
  const at::Tensor there = at::ones({2}, device());
  there.resize_({4});
  EXPECT_EQ(there.narrow(0, 0, 2).sum().item<float>(), 2);
}

TEST(FakeReport, IsALineOfJsonAtTheEndOfTheProcess) {
  const std::string file = testing::TempDir() + "fake_report_" + std::to_string(::getpid()) + ".json";
  const auto run = [&] {
    ::setenv("NEARFAR_FAKE_REPORT", file.c_str(), 1);
    reset_counts();
    matrix().to(device()).sum();
    std::exit(0);
  };
  for (int i = 0; i < 2; ++i) EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
  std::ifstream lines(file);
  for (std::string line; const int i : {0, 1}) {
    ASSERT_TRUE(std::getline(lines, line)) << i;
    EXPECT_THAT(line,
                HasSubstr(R"({"kernels": 1, "to_device": 1, "to_device_bytes": 64, "to_host": 0, )"
                          R"("to_host_bytes": 0, "waits": 1, "waits_of": {"copy to device": 1}, "peak_bytes": )"));
  }
  std::remove(file.c_str());
}

}  // namespace
}  // namespace nearfar::fake
