#include "base/npy.h"

#include "base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

namespace nearfar {
namespace {

class Npy : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& content) const {
    write_file_atomic(folder_.path() / "a.npy", content);
    return folder_.path() / "a.npy";
  }
  /// A version 1.0 file with this header text, padded as numpy pads, and these data bytes.
  static std::string npy(std::string header, const std::string& data) {
    header.append(64 - (10 + header.size() + 1) % 64, ' ');
    header += '\n';
    return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + data;
  }
  std::string refusal(const std::string& content) const {
    try {
      const NpyArray array(file(content));
      return "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
  }
  TempDir folder_;
};

TEST_F(Npy, ReadsWhatItWrote) {
  const std::array<float, 6> values{1, 2, 3, 4, 5, 6.5};
  const std::array<std::int64_t, 2> shape{2, 3};
  write_npy<float>(folder_.path() / "f.npy", shape, values);
  const NpyArray array(folder_.path() / "f.npy");
  EXPECT_EQ(array.shape(), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(array.values<float>(2)[5], 6.5F);
  EXPECT_THROW(static_cast<void>(array.values<double>(2)), Error);
  EXPECT_THROW(static_cast<void>(array.values<float>(1)), Error);
}

TEST_F(Npy, ReadsNumpysOwnSpelling) {
  // numpy.save of numpy.array([1, -1], 'i8'), written out by hand.
  const std::string data("\x01\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16);
  const NpyArray array(file(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", data)));
  EXPECT_EQ(array.values<std::int64_t>(1)[1], -1);
}

TEST_F(Npy, EmptyArraysAreArrays) {
  const NpyArray array(file(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 5), }", "")));
  EXPECT_EQ(array.size(), 0);
}

TEST_F(Npy, RefusesWhatItDoesNotKnow) {
  const std::string four(4, '\0');
  EXPECT_NE(refusal(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", four)).find("'|O'"),
            std::string::npos);
  EXPECT_NE(refusal(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", four)).find("structured"),
            std::string::npos);
  EXPECT_NE(refusal(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", four))
                .find("4 bytes of data, its shape needs 8"),
            std::string::npos);
  EXPECT_NE(refusal(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", four))
                .find("too large"),
            std::string::npos);
  EXPECT_NE(refusal(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", four)).find("malformed"),
            std::string::npos);
  EXPECT_NE(refusal(npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", four + four)).find("complex"),
            std::string::npos);
  EXPECT_NE(refusal(npy("{'descr': '<V2', 'fortran_order': False, 'shape': (2,), }", four)).find("bfloat16"),
            std::string::npos);
  EXPECT_NE(refusal(npy("{'descr': '', 'fortran_order': False, 'shape': (1,), }", four)).find("empty dtype"),
            std::string::npos);
  EXPECT_NE(refusal("PK\x03\x04 not an array at all").find("magic"), std::string::npos);
  EXPECT_NE(refusal("").find("magic"), std::string::npos);
}

TEST_F(Npy, RefusalsEndWithWhatToDo) {
  EXPECT_THAT(refusal(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "1234")),
              ::testing::EndsWith("; save it as numbers: np.save(file, array.astype('float32'))"));
  EXPECT_THAT(refusal(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234")),
              ::testing::EndsWith("; save one of its fields: np.save(file, array['NAME'])"));
  EXPECT_THAT(refusal(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "1234")),
              ::testing::EndsWith("; copy the file again or save it again"));
  EXPECT_THAT(refusal("PK\x03\x04, then members of an archive"),
              ::testing::HasSubstr("np.load('ARCHIVE.npz')['NAME']"));
}

TEST_F(Npy, ReadsHalvesExactly) {
  // sign, 5 bits of exponent (less 15), 10 bits of fraction
  const std::string halves("\x00\x3c\x00\xc0\xff\x7b\x01\x00\xff\x03\x00\x04\x00\x7c\x00\x80\x55\x35", 18);
  const NpyArray array(file(npy("{'descr': '<f2', 'fortran_order': False, 'shape': (9,), }", halves)));
  EXPECT_THAT(
      array.values<float>(1),
      ::testing::ElementsAre(1.F, -2.F, 65504.F, std::ldexp(1.F, -24), std::ldexp(1023.F, -24), std::ldexp(1.F, -14),
                             std::numeric_limits<float>::infinity(), 0.F, 0.333251953125F));
  EXPECT_TRUE(std::signbit(array.values<float>(1)[7]));
  const NpyArray nan(file(npy("{'descr': '>f2', 'fortran_order': False, 'shape': (1,), }", "\x7e\x01")));
  EXPECT_TRUE(std::isnan(nan.values<float>(1)[0]));
}

TEST_F(Npy, ReadsTheOtherByteOrder) {
  const NpyArray array(file(npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", "\x01\x02\xff\xfe")));
  EXPECT_THAT(array.values<std::int16_t>(1), ::testing::ElementsAre(258, -2));
  const std::string pi("\x40\x09\x21\xfb\x54\x44\x2d\x18", 8);
  const NpyArray one(file(npy("{'descr': '>f8', 'fortran_order': False, 'shape': (1,), }", pi)));
  EXPECT_EQ(one.values<double>(1)[0], 3.141592653589793);
}

TEST_F(Npy, PutsFortranOrderRight) {
  // [[1, 2, 3], [4, 5, 6]] column by column
  const NpyArray array(file(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", "\1\4\2\5\3\6")));
  EXPECT_THAT(array.values<std::uint8_t>(2), ::testing::ElementsAre(1, 2, 3, 4, 5, 6));
  // a[i][j][k] = 6 i + 2 j + k of the shape (2, 3, 2): first i, then j, then k grows
  const NpyArray cube(file(npy("{'descr': '>u2', 'fortran_order': True, 'shape': (2, 3, 2), }",
                               std::string("\0\0\0\6\0\2\0\x8\0\4\0\xa\0\1\0\7\0\3\0\x9\0\5\0\xb", 24))));
  EXPECT_THAT(cube.values<std::uint16_t>(3), ::testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  const std::int64_t rows = 150, columns = 3;  // more rows than are taken at a time
  std::string data;
  for (std::int64_t i = 0; i < rows * columns; ++i) data += static_cast<char>(i % rows * columns + i / rows);
  const NpyArray tall(file(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (150, 3), }", data)));
  for (std::size_t i = 0; i < 450; ++i) EXPECT_EQ(tall.values<std::uint8_t>(2)[i], i % 256) << i;
}

TEST_F(Npy, AColumnHasOneAxis) {
  const NpyArray column(file(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (3, 1), }", "\1\2\3")));
  EXPECT_THAT(column.values<std::uint8_t>(1), ::testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(column.values<std::uint8_t>(2).size(), 3U);
  const NpyArray row(file(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3), }", "\1\2\3")));
  EXPECT_THROW(static_cast<void>(row.values<std::uint8_t>(1)), Error);
}

TEST_F(Npy, ReadsDataThatAreNotAligned) {
  std::string content = npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }", "");
  content[8] = static_cast<char>(content[8] - 1);  // one blank less in the header
  content.erase(content.size() - 2, 1);
  EXPECT_EQ(NpyArray(file(content + std::string("\1\2\0\0", 4))).values<std::int32_t>(1)[0], 513);
}

TEST_F(Npy, ConvertsByItsRules) {
  const auto read = [this](const std::string& descr, int count, const std::string& data) {
    return NpyArray(file(
        npy("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + std::to_string(count) + ",), }", data)));
  };
  EXPECT_THAT(converted<float>(read("|i1", 2, "\xff\x05")), ::testing::ElementsAre(-1.F, 5.F));
  EXPECT_THAT(converted<std::int64_t>(read("|b1", 3, std::string("\0\1\7", 3))), ::testing::ElementsAre(0, 1, 1));
  // 2^24 + 1 lies between two floats and is nearest to both: the even one
  EXPECT_THAT(converted<float>(read("<i4", 1, std::string("\1\0\0\1", 4))), ::testing::ElementsAre(16777216.F));
  const std::string big(8, '\xff');
  EXPECT_THAT(converted<double>(read("<u8", 1, big)), ::testing::ElementsAre(18446744073709551616.0));
  EXPECT_THROW(converted<std::int64_t>(read("<u8", 1, big)), Error);
  const std::string three("\0\0\0\0\0\0\x08\x40", 8), half("\0\0\0\0\0\0\xe0\x3f", 8), huge("\0\0\0\0\0\0\xe0\x7f", 8);
  EXPECT_THAT(converted<std::int64_t>(read("<f8", 1, three)), ::testing::ElementsAre(3));
  EXPECT_THROW(converted<std::int64_t>(read("<f8", 1, half)), Error);
  EXPECT_THROW(converted<std::int64_t>(read("<f8", 1, huge)), Error);
  EXPECT_THROW(converted<float>(read("<f8", 1, huge)), Error);
  try {
    converted<std::int64_t>(read("<f8", 2, three + half));
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("number 1 is 0.5, which is no integer; save it with np.save("));
  }
}

TEST_F(Npy, EveryTruncationIsRefused) {
  const std::string whole = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", std::string(12, '\1'));
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(refusal(whole.substr(0, length)), "accepted") << length;
}

TEST_F(Npy, WritesRowByRow) {
  const std::filesystem::path path = folder_.path() / "rows.npy";
  NpyWriter writer(path, NpyType::float32, {2});
  const std::vector<float> first{1, 2}, more{3, 4, 5, 6};
  writer.append(std::as_bytes(std::span(first)));
  writer.append(std::as_bytes(std::span(more)));
  EXPECT_EQ(writer.finish(), 3);
  const NpyArray array(path);
  EXPECT_EQ(array.shape(), (std::vector<std::int64_t>{3, 2}));
  EXPECT_EQ(array.values<float>(2)[4], 5);
  NpyWriter none(path, NpyType::int64, {});
  EXPECT_EQ(none.finish(), 0);
  EXPECT_EQ(NpyArray(path).shape(), std::vector<std::int64_t>{0});
}

}  // namespace
}  // namespace nearfar
