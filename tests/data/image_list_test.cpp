#include "data/image_list.h"

#include "data_files.h"

#include <sys/resource.h>

namespace nearfar {
namespace {

class ImageListTest : public testing::DataFiles {
 protected:
  std::string refused(const std::string& text) const {
    return refusal(ErrorKind::data, [&] { parse_image_list(text, "l.txt"); });
  }
};

TEST_F(ImageListTest, SplitsAtTheFirstSpace) {
  const ImageList list = parse_image_list("cifar10/train/cat/3975.png 3\ntin/val/images/val_0.JPEG -1\n", "l.txt");
  ASSERT_EQ(list.count(), 2);
  EXPECT_EQ(list.path(0), "cifar10/train/cat/3975.png");
  EXPECT_EQ(list.label(0), 3);
  EXPECT_EQ(list.path(1), "tin/val/images/val_0.JPEG");
  EXPECT_EQ(list.label(1), -1);
}

TEST_F(ImageListTest, BlanksAtTheEndCrlfAndAMissingLastNewlineAreFine) {
  for (const char* text :
       {"a.png 3 \nb.png 0 \n", "a.png 3\r\nb.png 0\r\n", "a.png 3\nb.png 0", "a.png  3\t\nb.png 0\n\n \n"}) {
    const ImageList list = parse_image_list(text, "l.txt");
    ASSERT_EQ(list.count(), 2) << text;
    EXPECT_EQ(list.path(1), "b.png");
    EXPECT_EQ(list.label(0), 3);
    EXPECT_EQ(list.label(1), 0);
  }
}

TEST_F(ImageListTest, OfADictClassLabelCounts) {
  const ImageList list = parse_image_list(
      "a.png { \"group_label\": 0 ,\"class_label\": 7 }\nb.png {'class_label':8,'group_label':1,}\nc.png "
      "{\"class_label\": -1}\n",
      "l.txt");
  EXPECT_EQ(list.label(0), 7);
  EXPECT_EQ(list.label(1), 8);
  EXPECT_EQ(list.label(2), -1);
}

TEST_F(ImageListTest, PathsNeedNoSuffixAndMayHaveAnyOtherByte) {
  const ImageList list = parse_image_list("b\xc3\xa4/\xff..x/..y/z... 0\n./q 1\n", "l.txt");
  EXPECT_EQ(list.path(0), "b\xc3\xa4/\xff..x/..y/z...");
  EXPECT_EQ(list.path(1), "./q");
}

TEST_F(ImageListTest, SkipsAByteOrderMarkAndNamesUtf16) {
  const ImageList list = parse_image_list(
      "\xef\xbb\xbf"
      "a.png 3\nb.png 0\n",
      "l.txt");
  ASSERT_EQ(list.count(), 2);
  EXPECT_EQ(list.path(0), "a.png");
  EXPECT_EQ(list.path(1), "b.png");
  EXPECT_EQ(refused("\xef\xbb\xbf\n"), "l.txt: is empty; lines 'PATH LABEL' expected");
  EXPECT_EQ(refused(std::string("\xff\xfe"
                                "a\0 \0003\0\n\0",
                                10)),
            "l.txt: is UTF-16 text (it begins with the bytes ff fe); save it as UTF-8");
  EXPECT_EQ(refused(std::string("\xfe\xff\0a\0 \0003", 8)),
            "l.txt: is UTF-16 text (it begins with the bytes fe ff); save it as UTF-8");
}

TEST_F(ImageListTest, ReadsPathsWithSpaces) {
  for (const char* line :
       {"\"my folder/my cat.png\" 3", "\"my folder/my cat.png\"\t3 ", "\"my folder/my cat.png\",3",
        "\"my folder/my cat.png\" , 3\r", "my folder/my cat.png\t3", "my folder/my cat.png \t 3",
        "my folder/my cat.png,3", "my folder/my cat.png, 3", "my folder/my cat.png 3", "my folder/my cat.png  3 ",
        "my folder/my cat.png {\"class_label\": 3}", "my folder/my cat.png\t{\"class_label\": 3}"}) {
    const ImageList list = parse_image_list(std::string(line) + "\nb.png 0", "l.txt");
    ASSERT_EQ(list.count(), 2) << line;
    EXPECT_EQ(list.path(0), "my folder/my cat.png") << line;
    EXPECT_EQ(list.label(0), 3) << line;
    EXPECT_EQ(list.path(1), "b.png") << line;
  }
}

TEST_F(ImageListTest, ReadsPathsWithoutSpacesBeforeATabOrAComma) {
  for (const char* line : {"a.png\t3", "a.png \t3", "a.png,3", "a.png, 3", "a.png ,3", "\"a.png\",3"}) {
    const ImageList list = parse_image_list(line, "l.txt");
    EXPECT_EQ(list.path(0), "a.png") << line;
    EXPECT_EQ(list.label(0), 3) << line;
  }
  EXPECT_EQ(parse_image_list("a,b.png 3", "l.txt").path(0), "a,b.png");
  EXPECT_EQ(parse_image_list("\"a.png 3", "l.txt").path(0), "\"a.png");  // no closing quote: of the name
}

// The end of a name that nothing sets off must be certain: "a.png 3" is no file of two numbers.
TEST_F(ImageListTest, RefusesLinesThatCanBeReadInTwoWays) {
  for (const char* line :
       {"a.png 3 4", "a.png 3,4", "my cat 3", "my cat,3", "a b.c/d 3", "a.png,3,4", "path,label", "a b.png c 3"}) {
    const std::string message = refused(std::string("b.png 0\n") + line + "\n");
    EXPECT_EQ(message.find("l.txt:2: '"), 0U) << line << ": " << message;
  }
  EXPECT_EQ(parse_image_list("my cat\t3", "l.txt").path(0), "my cat");
  EXPECT_EQ(parse_image_list("\"a.png 3\" 4", "l.txt").path(0), "a.png 3");
}

// Hostile or broken lines: each is refused with its line, nothing is guessed.
TEST_F(ImageListTest, RefusesPathsThatLeaveTheFolder) {
  EXPECT_EQ(refused("a.png 0\n../../etc/passwd 1\n"),
            "l.txt:2: the path '../../etc/passwd' climbs with '..', a path beneath the data folder expected");
  EXPECT_EQ(refused("a/../../b 0\n"),
            "l.txt:1: the path 'a/../../b' climbs with '..', a path beneath the data folder expected");
  EXPECT_EQ(refused("a/.. 0\n"), "l.txt:1: the path 'a/..' climbs with '..', a path beneath the data folder expected");
  EXPECT_EQ(refused("/etc/passwd 0\n"),
            "l.txt:1: the path '/etc/passwd' is absolute, a path beneath the data folder expected");
}

TEST_F(ImageListTest, RefusesNulAndEmptyPaths) {
  EXPECT_EQ(refused(std::string("a\0.png 0\n", 9)), "l.txt:1: the path 'a\\x00.png' has a NUL byte");
  EXPECT_EQ(refused("a.png 0\n 5\n"), "l.txt:2: the path '' is empty");
}

TEST_F(ImageListTest, RefusesBlankLinesInside) {
  EXPECT_EQ(refused("a.png 0\n\nb.png 1\n"), "l.txt:2: a blank line, 'PATH LABEL' expected; remove it");
  EXPECT_EQ(refused("  \nb.png 1\n"), "l.txt:1: a blank line, 'PATH LABEL' expected; remove it");
  EXPECT_EQ(refused("\r\nb.png 1\n"), "l.txt:1: a blank line, 'PATH LABEL' expected; remove it");
}

TEST_F(ImageListTest, RefusesEmptyLists) {
  for (const char* text : {"", "\n", " \r\n\n"})
    EXPECT_EQ(refused(text), "l.txt: is empty; lines 'PATH LABEL' expected");
}

TEST_F(ImageListTest, RefusesLinesWithoutALabel) {
  EXPECT_EQ(refused("a.png\n"), "l.txt:1: 'a.png' has no label, 'PATH LABEL' expected");
  EXPECT_EQ(refused("a.png 0\nb.png \nc.png 1\n"), "l.txt:2: 'b.png' has no label, 'PATH LABEL' expected");
  EXPECT_EQ(refused("a.png\tcat\n"), "l.txt:1: 'a.png\\x09cat' has no label, 'PATH LABEL' expected");
}

TEST_F(ImageListTest, RefusesLabelsThatAreNoIntegers) {
  EXPECT_EQ(refused("my cat.png 3.5\n"),
            "l.txt:1: 'my' has the label 'cat.png 3.5', an integer or a dict with 'class_label' expected; if the path "
            "has spaces, put it into double quotes or a tab behind it");
  for (const char* label : {"3.0", "1e3", "0x10", "3 4", "cat", "--1", "+-1", "{}", "{\"group_label\": 0}",
                            "{\"class_label\": x}", "{3}", "{\"class_label\" 3}", "{\"class_label\": 3",
                            "__import__('os').system('id')", "{'class_label': 1 2}", "{'class_label"}) {
    EXPECT_EQ(refused(std::string("a.png ") + label + "\n").find("l.txt:1: 'a.png' has the label '"), 0U) << label;
  }
}

TEST_F(ImageListTest, RefusesLabelsOutsideOf32Bits) {
  EXPECT_EQ(refused("a.png 2147483648\n"), "l.txt:1: the label 2147483648 is outside of -1 … 2147483647");
  EXPECT_EQ(refused("a.png -2\n"), "l.txt:1: the label -2 is outside of -1 … 2147483647");
  EXPECT_NE(refused("a.png 99999999999999999999999999\n").find("an integer"), std::string::npos);
  EXPECT_EQ(parse_image_list("a.png 2147483647", "l.txt").label(0), 2147483647);
}

TEST_F(ImageListTest, RefusesHugeLinesWithShortMessages) {
  const std::string huge(8 << 20, 'a');
  EXPECT_EQ(refused(huge), "l.txt:1: '" + std::string(120, 'a') + "…' has no label, 'PATH LABEL' expected");
  EXPECT_EQ(refused(huge + " 0\n"), "l.txt:1: the path '" + std::string(120, 'a') + "…' is longer than 4096 bytes");
  EXPECT_LT(refused("a.png " + huge).size(), 250U);
  EXPECT_LT(refused("a.png {" + huge + "}").size(), 250U);
  EXPECT_EQ(parse_image_list(std::string(4096, 'a') + " 0", "l.txt").path(0).size(), 4096U);
  EXPECT_NE(refused(std::string(4097, 'a') + " 0").find("is longer than 4096 bytes"), std::string::npos);
}

TEST_F(ImageListTest, RefusesBinaryGarbageWithAPrintableMessage) {
  std::string garbage;
  for (int i = 0; i < 4096; ++i) garbage += static_cast<char>((i * 7919 + 13) % 256);
  const std::string message = refused(garbage);
  EXPECT_EQ(message.find("l.txt:1: "), 0U) << message;
  for (const char c : message) EXPECT_GE(static_cast<unsigned char>(c), 0x20U);
  refused("\x89PNG\r\n\x1a\n");
  refused(std::string(1 << 20, '\0'));
}

TEST_F(ImageListTest, ReadsRegularFilesOnly) {
  EXPECT_EQ(read_image_list(write("l.txt", "a.png 0\n")).count(), 1);
  EXPECT_EQ(refusal(ErrorKind::data, [&] { read_image_list(folder_.path() / "gone.txt"); }),
            "gone.txt: there is no such file");
  std::filesystem::create_directory(folder_.path() / "d");
  EXPECT_EQ(refusal(ErrorKind::data, [&] { read_image_list(folder_.path() / "d"); }), "d: is not a regular file");
  refusal(ErrorKind::data, [&] { read_image_list("/dev/zero"); });
}

TEST_F(ImageListTest, MadeListsAreCheckedToo) {
  ImageList list;
  list.add("a/b.png", 4);
  list.add("c d.png", -1);
  EXPECT_EQ(list.path(0), "a/b.png");
  EXPECT_EQ(list.path(1), "c d.png");
  EXPECT_EQ(list.label(0), 4);
  refusal(ErrorKind::data, [&] { list.add("../x", 0); });
}

TEST_F(ImageListTest, ALongListTakesItsTextAndTwelveBytesALine) {
  constexpr std::int64_t kLines = 1'281'167;
  std::string text;
  text.reserve(std::size_t{64} * kLines);
  for (std::int64_t i = 0; i < kLines; ++i) {
    const std::string id = std::to_string(10'000'000 + i % 1000);
    text +=
        "imagenet_1k/train/n" + id + "/n" + id + "_" + std::to_string(i) + ".JPEG " + std::to_string(i % 1000) + "\n";
  }
  const std::size_t bytes = text.size();
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const ImageList list = parse_image_list(std::move(text), "l.txt");
  getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(list.count(), kLines);
  EXPECT_EQ(list.path(kLines - 1), "imagenet_1k/train/n10000166/n10000166_1281166.JPEG");
  EXPECT_EQ(list.label(kLines - 1), 166);
  EXPECT_LT(bytes, std::size_t{100} << 20);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10) << "KiB more than the text itself";
}

}  // namespace
}  // namespace nearfar
