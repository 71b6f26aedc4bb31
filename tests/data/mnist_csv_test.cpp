#include "data/readers.h"
#include "data_files.h"

namespace nearfar {
namespace {

using MnistCsvTest = testing::DataFiles;

TEST_F(MnistCsvTest, ReadsPixelsThenTheLabel) {
  for (const char* content : {"1,2,3,4,9\n255,0,6,7,0\n", "1,2,3,4,9\r\n255,0,6,7,0\r\n", "1,2,3,4,9\n255,0,6,7,0"}) {
    const SourceImages images = read_mnist_csv(write("a.csv", content), 2, 2, "");
    EXPECT_EQ(images.count, 2);
    EXPECT_EQ(images.pixels, (std::vector<std::uint8_t>{1, 2, 3, 4, 255, 0, 6, 7}));
    EXPECT_EQ(images.labels, (std::vector<std::int64_t>{9, 0}));
  }
}

TEST_F(MnistCsvTest, ReadsGzip) { EXPECT_EQ(read_mnist_csv(write_gzip("a.gz", "1,2,3,4,9\n"), 2, 2, "").count, 1); }

TEST_F(MnistCsvTest, NamesLineAndColumnOfWhatIsWrong) {
  const auto read = [&](std::string_view content) {
    const auto file = write("a.csv", content);
    return refusal(ErrorKind::data, [&] { read_mnist_csv(file, 2, 2, "fetch it again"); });
  };
  EXPECT_EQ(read("1,2,3,4,9\n1,2,3,4\n"), "a.csv: line 2 has 4 columns, 5 expected; fetch it again");
  EXPECT_EQ(read("1,2,3,4,9\n1,2,3,\n"), "a.csv: line 2 has 3 columns, 5 expected; fetch it again");
  EXPECT_EQ(read("1,2,3,4,9,10\n"), "a.csv: line 1 has more than the 5 columns expected; fetch it again");
  EXPECT_EQ(read("1,256,3,4,9\n"),
            "a.csv: line 1 column 2 begins '256,3,4,9', an integer from 0 to 255 expected; fetch it again");
  EXPECT_EQ(read("1,-2,3,4,9\n"),
            "a.csv: line 1 column 2 begins '-2,3,4,9', an integer from 0 to 255 expected; fetch it again");
  EXPECT_EQ(read("1;2,3,4,9\n"), "a.csv: line 1 has ';' after column 1, a comma expected; fetch it again");
  EXPECT_EQ(read(""), "a.csv: is empty; rows of pixels and a label expected; fetch it again");
  EXPECT_EQ(read("\n"), "a.csv: line 1 has 0 columns, 5 expected; fetch it again");
}

TEST_F(MnistCsvTest, RefusesTruncatedGzip) {
  const std::string whole = read_file(write_gzip("whole", "1,2,3,4,9\n1,2,3,4,9\n"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto file = write("a.gz", std::string_view(whole).substr(0, size));
    refusal(ErrorKind::data, [&] { read_mnist_csv(file, 2, 2, ""); });
  }
}

}  // namespace
}  // namespace nearfar
