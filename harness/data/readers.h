#pragma once
/// Readers of image files and makers of generated images. Each gives everything that the source has; selection is
/// image_set.cpp's. File contents are untrusted: sizes are checked before memory is taken. Safe from any thread.
#include "data/benchmark.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

/// All images of one source.
struct SourceImages {
  std::int64_t count = 0, channels = 1, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // [count, height, width, channels]
  std::vector<std::int64_t> labels;  // [count] as the source has them; 0 where it has none
};

/// IDX of unsigned bytes: magic 0x803 and [N,H,W] for images, magic 0x801 and [N] for labels, big-endian
/// (yann.lecun.com/exdb/mnist). gzip'ed or plain by content. Error(data) names the file, the bytes found and expected,
/// and ends with `fix`.
SourceImages read_idx(const std::filesystem::path& images, const std::filesystem::path& labels, const std::string& fix);

/// Rows of height·width pixels and a label, comma-separated, no header. Error(data) names file:line.
SourceImages read_mnist_csv(const std::filesystem::path& file, std::int64_t height, std::int64_t width,
                            const std::string& fix);

/// CIFAR-10 and CIFAR-100 "binary version" (cs.toronto.edu/~kriz/cifar.html): records of `label_bytes` (1, or 2:
/// coarse, fine; fine counts) and three planes of 32 x 32 bytes; files one after the other. Error(data) names a file
/// that is missing or of a wrong size.
SourceImages read_cifar(const std::vector<std::filesystem::path>& batches, std::int64_t label_bytes,
                        const std::string& fix);

/// The same bytes on every machine: each pixel depends on (seed, image, position) alone.
SourceImages make_noise(std::uint64_t seed, std::int64_t count, std::int64_t channels, std::int64_t height,
                        std::int64_t width);

/// Image i has label i % kinds. Gratings: the label is the direction, the phase is random. Blobs: the label is the
/// place. Noise on top.
SourceImages make_shapes(const std::string& pattern, std::uint64_t seed, std::int64_t count, std::int64_t kinds,
                         std::int64_t channels, std::int64_t height, std::int64_t width);

}  // namespace nearfar
