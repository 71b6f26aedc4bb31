#include "base/progress.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(Duration, IsShortAndReadable) {
  EXPECT_EQ(duration_text(0.4), "0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(245), "4:05");
  EXPECT_EQ(duration_text(3723), "1:02:03");
}

TEST(Progress, LinesModePrintsOnlyLinesThatStay) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress(2, "cells", Progress::Mode::lines);
    progress.update(0.5, "training");
    progress.line("cell done");
    progress.finish();
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "cell done\n");
}

TEST(Progress, BarShowsShareAndNoteAndCleansUp) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress(4, "cells", Progress::Mode::bar);
    progress.update(1, "ce s0");
  }
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("[######..................] 1.0/4 cells"), std::string::npos) << text;
  EXPECT_EQ(text.substr(text.size() - 4), "\r\x1b[K");
}

TEST(Progress, BarCutsBetweenCharacters) {
  for (const char* begin : {"", "x"}) {  // one of them has its 79th byte within a character
    std::string note = begin;
    for (int i = 0; i < 80; ++i) note += "é";
    ::testing::internal::CaptureStderr();
    {
      Progress progress(4, "cells", Progress::Mode::bar);
      progress.update(1, note);
    }
    const std::string text = ::testing::internal::GetCapturedStderr();
    const std::size_t first = text.find("é");
    ASSERT_NE(first, std::string::npos) << text;
    std::size_t characters = text.find('[', 4);  // behind the escape that clears the line
    std::size_t at = first;
    while (text.substr(at, 2) == "é") at += 2;
    EXPECT_EQ(text.substr(at), "\r\x1b[K");
    EXPECT_EQ(first - characters + (at - first) / 2, 79U);
  }
}

}  // namespace
}  // namespace nearfar
