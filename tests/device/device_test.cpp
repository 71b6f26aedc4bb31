// Runs with NEARFAR_DEVICE_MODULE = the fake device, and NEARFAR_FAKE_BYTES = 2 GiB.
#include "device/device.h"

#include "fake_device/fake_device.h"

#include <nearfar/error.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace nearfar {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const std::string& name) {
  try {
    open_device(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.what();
  }
  return "opened";
}

TEST(OpenDevice, TakesTheNamesThatThereAre) {
  EXPECT_EQ(open_device("cpu"), at::Device(at::kCPU));
  EXPECT_EQ(open_device("cuda"), fake::device());
  EXPECT_EQ(open_device("cuda:0"), fake::device());
}

TEST(OpenDevice, RefusesADeviceThatIsNotThere) {
  EXPECT_THAT(refusal("cuda:1"),
              AllOf(HasSubstr("'cuda:1' is not usable here"), HasSubstr("numbered from 0"), HasSubstr("fake device")));
}

TEST(OpenDevice, RefusesNamesThatItDoesNotKnow) {
  for (const char* name : {"", "gpu", "CUDA", "cud", "cuda0", "cuda:", "cuda:x", "cuda:1x", "cuda: 1", "cuda:-1",
                           "cuda:99999999999", "cpu:0"})
    EXPECT_THAT(refusal(name), HasSubstr(std::string("unknown device '") + name + "'; expected cpu")) << name;
}

TEST(ProbeDevices, SaysWhatThereIs) {
  const DeviceStatus& status = probe_devices();
  ASSERT_NE(status.module, nullptr);
  EXPECT_EQ(status.devices, 1);
  EXPECT_EQ(status.reason, "1 x fake device (2 GiB; CPU kernels)");
}

TEST(DeviceFacts, AreTheModules) {
  const at::Device device = open_device("cuda");
  EXPECT_EQ(device_facts(device).name, "fake device");
  EXPECT_EQ(device_facts(device).bytes, fake::capacity());
  EXPECT_FALSE(device_facts(device).bfloat16);
}

TEST(DeviceMemory, FollowsTheTensors) {
  const at::Device device = open_device("cuda");
  const std::int64_t before = device_memory(device).free;
  const at::Tensor kilobyte = at::empty({256}, device);
  EXPECT_EQ(device_memory(device).free, before - 1024);
  EXPECT_GE(device_memory(device).peak, 1024);
}

TEST(MakeGraph, IsForDevicesAlone) {
  EXPECT_EQ(make_graph(at::kCPU), nullptr);
  const at::Tensor counter = at::ones({1}, open_device("cuda"));
  const auto graph = make_graph(counter.device());
  graph->begin();
  counter.add_(1);
  graph->end();
  graph->replay();
  EXPECT_EQ(counter.item<float>(), 2);
}

TEST(WaitFor, FinishesWhatIsUnderWay) {
  const at::Tensor there = at::ones({2}, open_device("cuda"));
  const at::Tensor host = at::empty({2}, at::TensorOptions().pinned_memory(true));
  host.copy_(there, /*non_blocking=*/true);
  wait_for(there.device());
  EXPECT_EQ(host.sum().item<float>(), 2);
  wait_for(at::kCPU);
}

TEST(ForbidWaits, HoldsUntilTheLastOneIsGone) {
  const at::Tensor there = at::ones({2}, open_device("cuda"));
  std::optional<ForbidWaits> outer(std::in_place);
  EXPECT_THROW(there.cpu(), c10::Error);
  { const ForbidWaits inner; }
  EXPECT_THROW(there.cpu(), c10::Error);
  outer.reset();
  EXPECT_EQ(there.cpu().numel(), 2);
}

}  // namespace
}  // namespace nearfar
