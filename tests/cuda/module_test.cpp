/// libnearfar_cuda.so as harness/device finds it, on any machine.
#include "device/device.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace nearfar {
namespace {

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(CudaModule, IsUsableOrSaysWhatIsMissing) {
  const DeviceStatus& status = probe_devices();
  std::printf("cuda: %s\n", status.reason.c_str());
  if (status.devices > 0) {
    ASSERT_NE(status.module, nullptr);
    EXPECT_STREQ(status.module->name, "cuda");
    return;
  }
  EXPECT_EQ(status.module, nullptr);
  const bool of_the_machine = contains(status.reason, "NVIDIA driver") || contains(status.reason, "GPU");
  const bool of_libtorch = contains(status.reason, "./run cuda") && std::getenv("NEARFAR_MODULE_LOADS") == nullptr;
  EXPECT_TRUE(of_the_machine || of_libtorch) << status.reason;
}

TEST(CudaModule, LeavesTheCpuAsItWas) {
  probe_devices();
  const at::Tensor x = at::ones({3}).set_requires_grad(true);
  x.mul(2).sum().backward();
  EXPECT_TRUE(x.grad().equal(at::ones({3}).mul(2)));
}

}  // namespace
}  // namespace nearfar
