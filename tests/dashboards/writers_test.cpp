/// Bytes and scalars of the formats, against their specifications and what other programs write.
#include "dashboards/event_file.h"
#include "dashboards/folder.h"
#include "dashboards/protobuf.h"
#include "dashboards/yaml.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

namespace nearfar {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

TEST(Crc32c, IsThatOfRfc3720) {  // appendix B.4
  std::string ascending(32, '\0');
  std::iota(ascending.begin(), ascending.end(), '\0');
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(ascending), 0x46DD794EU);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(Crc32c, IsMaskedAsTensorBoardDoesIt) {  // tensorboard.summary.writer.record_writer.masked_crc32c
  EXPECT_EQ(masked_crc32c("123456789"), 0xc78ab0e5U);
  EXPECT_EQ(masked_crc32c(std::string(32, '\0')), 0x0fd7fffaU);
}

TEST(Protobuf, WritesTheFormsOfItsSpecification) {
  EXPECT_EQ(hex(ProtoMessage().number(1, 150).bytes()), "089601");  // the documentation's own examples
  EXPECT_EQ(hex(ProtoMessage().text(2, "testing").bytes()), "120774657374696e67");
  EXPECT_EQ(hex(ProtoMessage().message(3, ProtoMessage().number(1, 150)).bytes()), "1a03089601");
  EXPECT_EQ(hex(ProtoMessage().number(1, -2).bytes()), "08feffffffffffffffff01");
  EXPECT_EQ(hex(ProtoMessage().number(16, 0).bytes()), "800100") << "a key of two bytes";
  EXPECT_EQ(hex(ProtoMessage().real(1, 1.5).bytes()), "09000000000000f83f");
  EXPECT_EQ(hex(ProtoMessage().single(2, 0.5F).bytes()), "150000003f");
  EXPECT_EQ(hex(ProtoMessage().text(1, std::string(200, 'a')).bytes().substr(0, 3)), "0ac801");
}

TEST(EventFile, ARecordIsTheOneThatTensorBoardWrites) {
  // RecordWriter.write() of Event(wall_time=1.5, step=300, summary=[Value(tag="x", simple_value=0.5)])
  ProtoMessage event;
  event.real(1, 1.5).number(2, 300).message(5, ProtoMessage().message(1, ProtoMessage().text(1, "x").single(2, 0.5F)));
  EXPECT_EQ(hex(event_record(event.bytes())),
            "1800000000000000a37f4b2209000000000000f83f10ac022a0a0a080a0178150000003fd06d1abd");
}

TEST(Yaml, TextIsTextWhateverItHolds) {
  EXPECT_EQ(yaml_text("knn"), "\"knn\"");
  EXPECT_EQ(yaml_text("a: \"b\"\n- c #d"), R"("a: \"b\"\n- c #d")");
  EXPECT_EQ(yaml_text("é\u2028\u0085\x7f"), "\"é\\u2028\\x85\\x7F\"");
  EXPECT_EQ(yaml_text("\xef\xbf\xbe"), "\"\\uFFFE\"");
  EXPECT_EQ(yaml_text("\x01"), "\"\\u0001\"");
  EXPECT_EQ(yaml_text("bad \xff"), "\"bad \xef\xbf\xbd\"");
}

TEST(Yaml, NumbersHaveAPoint) {
  EXPECT_EQ(yaml_number(0.1), "0.1");
  EXPECT_EQ(yaml_number(1e-6), "1.0e-06");
  EXPECT_EQ(yaml_number(1.5e-7), "1.5e-07");
  EXPECT_EQ(yaml_number(3), "3.0");
  EXPECT_EQ(yaml_number(-std::numeric_limits<double>::infinity()), "-.inf");
  EXPECT_EQ(yaml_number(std::numeric_limits<double>::quiet_NaN()), ".nan");
}

TEST(FileName, OfALabelStaysInItsFolder) {
  EXPECT_EQ(file_name_of("ce/resnet8/s0 knn"), "ce_resnet8_s0_knn");
  EXPECT_EQ(file_name_of("k=5,t=0.1"), "k=5,t=0.1");
  EXPECT_EQ(file_name_of("../../etc"), "_.._.._etc");
  EXPECT_EQ(file_name_of(""), "_");
  EXPECT_EQ(file_name_of("a\nb"), "a_b");
  EXPECT_EQ(file_name_of(std::string(500, 'x')).size(), 120u);
}

}  // namespace
}  // namespace nearfar
