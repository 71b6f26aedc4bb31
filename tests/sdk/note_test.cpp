#include <nearfar/note.h>

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace nearfar {
namespace {

using namespace std::string_view_literals;

constexpr Param kParams[] = {{"k", 50, 1, 1000, "which neighbour"},
                             {"t", 1.0, 0.5, 2.0, "temperature"},
                             {"fast", true, ""},
                             {"mode", "mean", "mean|max", "how"},
                             {"picks", kNoFile, "a list"}};
constexpr PluginText kText{.name = "knn", .version = "1.2.0", .needs = kFeatures | kTrain, .params = kParams};

constexpr auto kNote = make_note<[](NoteWriter& note) {
  write_note_begin(note, "stable", PluginKind::loss, kText);
  note.number("abi", 1);
  write_note_end(note, kText, "abc");
}>();

// By hand: 50 is 1.5625 * 2^5, so exponent 1023 + 5 = 0x404 and mantissa 0.5625 = 0x9/16 -> 4049000000000000; 1 is
// 3ff0..., 1000 is 1.953125 * 2^9 -> 0x408 and 0.953125 = 0xf4/256; features and train are bits 1 and 6: 2 + 64.
TEST(Note, IsTheStringsOfTheContract) {
  const std::string_view expected =
      "note=1\0tier=stable\0kind=loss\0name=knn\0version=1.2.0\0summary=\0reference=\0abi=1\0source=abc\0needs=66\0"
      "param=k\tinteger\t4049000000000000\t3ff0000000000000\t408f400000000000\t\twhich neighbour\0"
      "param=t\tnumber\t3ff0000000000000\t3fe0000000000000\t4000000000000000\t\ttemperature\0"
      "param=fast\tboolean\t3ff0000000000000\t0000000000000000\t3ff0000000000000\t\t\0"
      "param=mode\ttext\tmean\t0000000000000000\t0000000000000000\tmean|max\thow\0"
      "param=picks\tfile\t\t0000000000000000\t0000000000000000\t\ta list\0"sv;
  EXPECT_EQ(std::string_view(kNote.descriptor, kNote.descriptor_size), expected);
}

// The ELF specification's layout: three words, the owner with its NUL padded to four, the descriptor padded to four.
TEST(Note, LiesAsAnElfNote) {
  EXPECT_EQ(offsetof(decltype(kNote), owner), 12u);
  EXPECT_EQ(offsetof(decltype(kNote), descriptor), 20u);
  EXPECT_EQ(kNote.owner_size, 8u);
  EXPECT_EQ(kNote.type, 1u);
  EXPECT_EQ(std::string_view(kNote.owner, 8), "nearfar\0"sv);
  EXPECT_EQ(sizeof kNote % 4, 0u);
  EXPECT_GE(sizeof kNote.descriptor, kNote.descriptor_size);
  EXPECT_LT(sizeof kNote.descriptor, kNote.descriptor_size + 4);
}

}  // namespace
}  // namespace nearfar
