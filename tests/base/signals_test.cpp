#include "base/signals.h"

#include "base/error.h"

#include <gtest/gtest.h>

#include <csignal>

namespace nearfar {
namespace {

TEST(StopSignals, CountsEverySignalThatAsksToStop) {
  const StopSignals stops;
  EXPECT_EQ(stops.count(), 0);
  int expected = 0;
  for (const int number : {SIGINT, SIGTERM, SIGUSR2, SIGINT}) {
    std::raise(number);
    EXPECT_EQ(stops.count(), ++expected);
  }
}

TEST(StopSignals, BeginsAtZeroAgain) {
  {
    const StopSignals stops;
    std::raise(SIGTERM);
  }
  EXPECT_EQ(StopSignals().count(), 0);
}

volatile std::sig_atomic_t seen_by_earlier = 0;

TEST(StopSignals, GivesTheEarlierHandlersBack) {
  for (const int number : {SIGINT, SIGTERM, SIGUSR2}) {
    const auto before = std::signal(number, [](int received) { seen_by_earlier = received; });
    seen_by_earlier = 0;
    {
      const StopSignals stops;
      std::raise(number);
      EXPECT_EQ(seen_by_earlier, 0);
    }
    std::raise(number);
    EXPECT_EQ(seen_by_earlier, number);
    std::signal(number, before);
  }
}

TEST(StopSignalsDeathTest, EndsTheProcessAtTheSecondWhereThatIsAskedFor) {
  const auto twice = [](int first, int second) {
    const StopSignals stops(StopSignals::Second::ends_process);
    std::raise(first);
    if (stops.count() != 1) std::_Exit(1);
    std::raise(second);
  };
  EXPECT_EXIT(twice(SIGINT, SIGINT), ::testing::KilledBySignal(SIGINT), "");
  EXPECT_EXIT(twice(SIGINT, SIGTERM), ::testing::KilledBySignal(SIGTERM), "");
  EXPECT_EXIT(twice(SIGUSR2, SIGUSR2), ::testing::KilledBySignal(SIGUSR2), "");
}

TEST(StopSignals, AreOneAtATime) {
  const StopSignals stops;
  EXPECT_THROW(StopSignals(), Error);
}

}  // namespace
}  // namespace nearfar
