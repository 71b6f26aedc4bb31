#include "store/uid.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(Uid, BeginsWithTheTimeInMilliseconds) {
  UidSource source;
  const std::string uid = source.next(0x0123456789ab);
  EXPECT_EQ(uid.size(), 32u);
  EXPECT_EQ(uid.substr(0, 12), "0123456789ab");
}

TEST(Uid, LaterIsLargerWithinAMillisecondAndWhenTheClockIsPutBack) {
  UidSource source;
  std::string last;
  for (const std::int64_t time : {1000, 1000, 1000, 1001, 500, 400, 1001, 2000, 1}) {
    const std::string uid = source.next(time);
    EXPECT_LT(last, uid) << time;
    last = uid;
  }
}

TEST(Uid, IsLargerThanThatOfAMachineWhoseClockIsAhead) {
  UidSource ahead, behind;
  const std::string first = ahead.next(5000), second = behind.next(1000, first);
  EXPECT_LT(first, second);
  EXPECT_LT(second, behind.next(1000));
}

TEST(Uid, SourcesThatBeginAtTheSameMomentDiffer) {
  UidSource a, b;
  EXPECT_NE(a.next(1000), b.next(1000));
}

}  // namespace
}  // namespace nearfar
