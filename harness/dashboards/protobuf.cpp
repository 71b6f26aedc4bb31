#include "dashboards/protobuf.h"

#include <bit>

namespace nearfar {
namespace {
constexpr int kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5;
}

void ProtoMessage::varint(std::uint64_t value) {
  for (; value > 0x7f; value >>= 7) bytes_ += static_cast<char>((value & 0x7f) | 0x80);
  bytes_ += static_cast<char>(value);
}

void ProtoMessage::fixed(std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
}

void ProtoMessage::key(int field, int form) {
  varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(form));
}

ProtoMessage& ProtoMessage::number(int field, std::int64_t value) {
  key(field, kVarint);
  varint(static_cast<std::uint64_t>(value));
  return *this;
}

ProtoMessage& ProtoMessage::real(int field, double value) {
  key(field, kFixed64);
  fixed(std::bit_cast<std::uint64_t>(value), 8);
  return *this;
}

ProtoMessage& ProtoMessage::single(int field, float value) {
  key(field, kFixed32);
  fixed(std::bit_cast<std::uint32_t>(value), 4);
  return *this;
}

ProtoMessage& ProtoMessage::text(int field, std::string_view bytes) {
  key(field, kLengthDelimited);
  varint(bytes.size());
  bytes_ += bytes;
  return *this;
}

}  // namespace nearfar
