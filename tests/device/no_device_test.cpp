// Runs with NEARFAR_DEVICE_MODULE = a file that is not there.
#include "device/device.h"

#include <nearfar/error.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace nearfar {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(NoDevice, LeavesTheCpu) {
  EXPECT_EQ(open_device("cpu"), at::Device(at::kCPU));
  EXPECT_EQ(probe_devices().module, nullptr);
  EXPECT_EQ(probe_devices().devices, 0);
  EXPECT_EQ(make_graph(at::kCPU), nullptr);
  const ForbidWaits nothing_to_forbid;
}

TEST(NoDevice, IsRefusedWithTheReasonAndTheWayOut) {
  std::string message = "opened";
  try {
    open_device("cuda");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    message = error.what();
  }
  EXPECT_THAT(message, AllOf(HasSubstr("device 'cuda' is not usable here: this build has no CUDA module"),
                             HasSubstr("absent.so is not there"), HasSubstr("Use --device cpu.")));
}

}  // namespace
}  // namespace nearfar
