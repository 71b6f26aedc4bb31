#pragma once
/// Small pictures of a few images of a set, for people. Reads files, keeps no state, safe from any thread. Torch-free.
#include "data/image_set.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace nearfar {

struct Thumbnail {
  std::string where = {};              ///< "LIST:LINE FILE" of lists and folders; "" where only its number tells
  std::vector<std::uint8_t> png = {};  ///< empty where the file cannot be read
};

/// No side of a thumbnail is longer; smaller images stay as they are.
inline constexpr std::int64_t kThumbnailSide = 64;

/// Of the images at these positions of a set that has `count` of them and, for sets that are files of many images,
/// the hash `hash`: else they are other images than meant, which is Error(data). Of lists and folders only these files
/// are decoded. Further errors as load_set().
std::map<std::int64_t, Thumbnail> thumbnails(const Benchmark& benchmark, const std::string& set_name,
                                             const LoadOptions& options, const std::vector<std::int64_t>& positions,
                                             std::int64_t count, const std::string& hash);

}  // namespace nearfar
