#pragma once
/// Records as TensorBoard reads them from an event file: length, checksum, message, checksum. Pure functions.
/// Format: TensorFlow's tfrecord ("TFRecords format details"); the checksum is CRC-32C of RFC 3720, appendix B.4.
#include <cstdint>
#include <string>
#include <string_view>

namespace nearfar {

/// CRC-32C (Castagnoli).
std::uint32_t crc32c(std::string_view bytes);
/// Rotated and offset, so that a checksum of data that hold checksums is none of theirs.
std::uint32_t masked_crc32c(std::string_view bytes);
/// `message` as one record.
std::string event_record(std::string_view message);

}  // namespace nearfar
