#include "data/printable.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(Printable, KeepsTextAndUtf8) {
  EXPECT_EQ(printable("a b/ä€😀.png"), "a b/ä€😀.png");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, EscapesControlBytesAndWhatIsNotUtf8) {
  EXPECT_EQ(printable(std::string_view("a\0b\x1b[31m\n", 9)), "a\\x00b\\x1b[31m\\x0a");
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");           // overlong '/'
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");           // C1: starts an escape sequence on some terminals
}

TEST(Printable, EscapesWhatIsNotSeen) {
  EXPECT_EQ(printable("\xef\xbb\xbf"
                      "a.png"),
            "\\ufeffa.png");  // a byte order mark
  EXPECT_EQ(printable("a\xc2\xa0"
                      "b\xe2\x80\x8b"
                      "c"),
            "a\\u00a0b\\u200bc");  // no-break space, zero-width space
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "gnp"),
            "\\u202egnp");                               // turns the direction
  EXPECT_EQ(printable("\xf3\xa0\x81\x81"), "\\ue0041");  // a tag
}

TEST(Printable, CutsWholeCharacters) {
  EXPECT_EQ(printable("abcdef", 3), "abc…");
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("ab€", 4), "ab…");
}

}  // namespace
}  // namespace nearfar
