#pragma once
/// A message of Protocol Buffers, written field by field: the five wire forms that TensorBoard's messages need. Reading
/// is not needed, and so neither are protoc and generated code (docs/decisions/0029-dashboards.md). Plain value.
/// Format: https://protobuf.dev/programming-guides/encoding/
#include <cstdint>
#include <string>
#include <string_view>

namespace nearfar {

class ProtoMessage {
 public:
  /// Integers, enumerations and booleans. Negative ones take ten bytes, as in every int64.
  ProtoMessage& number(int field, std::int64_t value);
  ProtoMessage& real(int field, double value);
  ProtoMessage& single(int field, float value);
  ProtoMessage& text(int field, std::string_view bytes);
  ProtoMessage& message(int field, const ProtoMessage& inner) { return text(field, inner.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value);
  void fixed(std::uint64_t value, int size);
  void key(int field, int form);
  std::string bytes_;
};

}  // namespace nearfar
