#include "base/base64.h"

#include <openssl/evp.h>

#include <algorithm>

namespace nearfar {

std::string base64(std::span<const std::uint8_t> bytes) {
  std::string text;
  constexpr std::size_t kPiece = 3 << 20;  // OpenSSL counts in int; a multiple of three needs no padding within
  for (std::size_t done = 0; done < bytes.size(); done += kPiece) {
    const auto piece = bytes.subspan(done, std::min(kPiece, bytes.size() - done));
    std::string encoded((piece.size() + 2) / 3 * 4 + 1, '\0');  // and a NUL
    const int length =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()), piece.data(), static_cast<int>(piece.size()));
    text.append(encoded, 0, static_cast<std::size_t>(length));
  }
  return text;
}

}  // namespace nearfar
