#include "work/device_slots.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

std::string text(const std::string& device, std::int64_t count, const std::string& visible = "") {
  std::string all;
  for (const DeviceSlot& slot : device_slots(device, count, visible))
    all += slot.name + "=" + slot.device + "[" + slot.visible + "] ";
  return all;
}

TEST(DeviceSlots, OneChildOnEachDevice) {
  EXPECT_EQ(text("cpu", 0), "cpu=cpu[] ");
  EXPECT_EQ(text("cuda", 4), "cuda=cuda[] ");
  EXPECT_EQ(text("cuda:1", 2), "cuda:1=cuda[1] ");
  EXPECT_EQ(text("cuda:all", 3), "cuda:0=cuda[0] cuda:1=cuda[1] cuda:2=cuda[2] ");
}

TEST(DeviceSlots, CountsAmongTheVisibleOnes) {
  EXPECT_EQ(text("cuda:1", 2, "5, 3"), "cuda:1=cuda[3] ");
  EXPECT_EQ(text("cuda:all", 2, "GPU-aa,GPU-bb"), "cuda:0=cuda[GPU-aa] cuda:1=cuda[GPU-bb] ");
}

TEST(DeviceSlots, RefusesOneThatIsNotThere) {
  try {
    device_slots("cuda:2", 2, "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_STREQ(error.what(), "device 'cuda:2' is not usable here: there are 2 (cuda:0 to cuda:1)");
  }
}

}  // namespace
}  // namespace nearfar
