#include "engine/event_file.h"

#include "base/files.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

namespace nearfar {
namespace {

template <class T>
T take(std::string& bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.erase(0, sizeof value);
  return value;
}

/// The events of a file: lengths and checksums are right, and nothing is left over.
std::vector<std::string> events(std::string bytes) {
  std::vector<std::string> all;
  const auto masked = [](std::string_view of) {
    const std::uint32_t crc = crc32c(of);
    return static_cast<std::uint32_t>(std::rotr(crc, 15) + 0xA282EAD8U);
  };
  while (bytes.size() > 12) {
    const std::string length_bytes = bytes.substr(0, 8);
    const auto length = take<std::uint64_t>(bytes);
    EXPECT_EQ(take<std::uint32_t>(bytes), masked(length_bytes));
    all.push_back(bytes.substr(0, length));
    bytes.erase(0, length);
    EXPECT_EQ(take<std::uint32_t>(bytes), masked(all.back()));
  }
  EXPECT_EQ(bytes, "");
  return all;
}

TEST(Crc32c, HasTheStandardsCheckValue) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);  // RFC 3720, appendix B.4 has others of the same polynomial
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(EventFile, HoldsAVersionAStartAndNumbers) {
  const TempDir folder;
  EventFile file(folder.path() / "tensorboard", 300);
  file.add(391, {{"train/loss", 0.5}, {"val/accuracy", 0.25}});
  const std::vector<std::string> all = events(read_file(file.path()));
  ASSERT_EQ(all.size(), 3u);
  // 9 bytes of wall time (field 1, fixed64), then step (field 2, varint), then the rest, as protoc --decode shows them
  EXPECT_EQ(all[0][0], '\x09');
  EXPECT_EQ(all[0].substr(9), std::string("\x10\x00\x1a\x0d", 4) + "brain.Event:2");
  EXPECT_EQ(all[1].substr(9), "\x10\xac\x02\x3a\x02\x08\x01");  // 300 = 0xac 0x02
  std::string expected = "\x10\x87\x03\x2a";                    // 391; summary
  const std::string loss = std::string("\x0a\x0a") + "train/loss" + std::string("\x15\x00\x00\x00\x3f", 5);
  const std::string accuracy = std::string("\x0a\x0c") + "val/accuracy" + std::string("\x15\x00\x00\x80\x3e", 5);
  const std::string values = std::string("\x0a\x11") + loss + "\x0a\x13" + accuracy;
  expected += static_cast<char>(values.size());
  EXPECT_EQ(all[2].substr(9), expected + values);
}

TEST(EventFile, TakesANameOfItsOwn) {
  const TempDir folder;
  const EventFile first(folder.path(), 0), second(folder.path(), 0);
  EXPECT_NE(first.path(), second.path());
  EXPECT_NE(second.path().filename().string().find("tfevents"), std::string::npos);
}

}  // namespace
}  // namespace nearfar
