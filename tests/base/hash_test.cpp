#include "base/hash.h"

#include "base/error.h"
#include "base/files.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

// FIPS 180-2, appendix B.1, and the well-known digest of nothing.
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Sha256, EqualsThePublishedVectors) {
  EXPECT_EQ(sha256("abc"), kAbc);
  EXPECT_EQ(sha256(""), kEmpty);
}

TEST(Sha256, InBase64) {  // of the bytes above, by coreutils' base64
  EXPECT_EQ(sha256_base64("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(sha256_base64(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(Sha256, InPiecesIsTheSameAsWhole) {
  Sha256 hash;
  hash.add("a");
  hash.add("");
  hash.add("bc");
  EXPECT_EQ(hash.hex(), kAbc);
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const TempDir folder;
  write_file_atomic(folder.path() / "f", "abc");
  EXPECT_EQ(sha256_file(folder.path() / "f"), kAbc);
  EXPECT_THROW(sha256_file(folder.path() / "missing"), Error);
}

TEST(Xxh3, DependsOnSeedAndEveryByte) {
  const std::string a = "0123456789", b = "0123456780";
  EXPECT_NE(xxh3(std::as_bytes(std::span(a))), xxh3(std::as_bytes(std::span(b))));
  EXPECT_NE(xxh3(std::as_bytes(std::span(a)), 1), xxh3(std::as_bytes(std::span(a)), 2));
  EXPECT_EQ(xxh3({}), 0x2d06800538d394c2ULL);  // XXH3_64bits of nothing, from the xxHash specification's test vectors
}

}  // namespace
}  // namespace nearfar
