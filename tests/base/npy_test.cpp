#include "base/npy.h"

#include "base/error.h"

#include <gtest/gtest.h>

#include <array>

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
  EXPECT_NE(refusal(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", four)).find("Fortran"),
            std::string::npos);
  EXPECT_NE(refusal(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", four)).find("'>f4'"),
            std::string::npos);
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
  EXPECT_NE(refusal("PK\x03\x04 not an array at all").find("magic"), std::string::npos);
  EXPECT_NE(refusal("").find("magic"), std::string::npos);
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
