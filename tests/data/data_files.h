#pragma once
/// Hand-made data files and benchmarks in a folder that cleans up.
#include "base/error.h"
#include "base/files.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

namespace nearfar::testing {

inline std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

/// An IDX file of images with the header's numbers as given and `data` after it.
inline std::string idx_images(std::uint32_t count, std::uint32_t height, std::uint32_t width, const std::string& data) {
  return big_endian(0x803) + big_endian(count) + big_endian(height) + big_endian(width) + data;
}
inline std::string idx_labels(std::uint32_t count, const std::string& data) {
  return big_endian(0x801) + big_endian(count) + data;
}

/// 0, 1, 2, … as bytes.
inline std::string counting(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i);
  return bytes;
}

class DataFiles : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, std::string_view content) const {
    const std::filesystem::path file = folder_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }
  std::filesystem::path write_gzip(const std::string& name, const std::string& content) const {
    const std::filesystem::path file = folder_.path() / name;
    const gzFile handle = gzopen(file.c_str(), "wb");
    gzwrite(handle, content.data(), static_cast<unsigned>(content.size()));
    gzclose(handle);
    return file;
  }
  /// The message of the Error that `call` throws, with the folder's path cut off.
  std::string refusal(ErrorKind kind, const std::function<void()>& call) const {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind);
      std::string text = error.what();
      const std::string prefix = folder_.path().string() + "/";
      for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix))
        text.erase(at, prefix.size());
      return text;
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }
  TempDir folder_;
};

}  // namespace nearfar::testing
