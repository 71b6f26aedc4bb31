#pragma once
/// Bytes as text for data URIs. Pure.
#include <cstdint>
#include <span>
#include <string>

namespace nearfar {

/// RFC 4648, with padding, on one line.
std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace nearfar
