#pragma once
/// The images of a set, one slab after the other in list order: decoded by a pool of threads into a ring of slabs, or
/// lent from memory or from a packed file. Memory does not grow with the set. A stream is used by one thread; the pool
/// is its own. Torch-free.
#include "data/image_set.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// Images first … first+count-1 of the set.
struct Slab {
  std::int64_t first = 0, count = 0;
  std::span<const std::uint8_t> pixels;  ///< [count, height, width, channels]; valid until the next call
  std::vector<std::int64_t>
      unreadable;  ///< only with OnUnreadable::skip: positions in the set, ascending; their pixels are 0
  std::vector<std::int64_t> damaged;  ///< positions of images whose files are cut off or have errors, ascending: pixels
                                      ///< are made up as Pillow does. A packed copy does not know of its files
};

class ImageStream {
 public:
  virtual ~ImageStream() = default;
  virtual const SetInfo& info() const = 0;
  /// False at the end. Error(data) naming list, line, file and reason of the first image in list order that cannot be
  /// used (with OnUnreadable::fail). The same bytes for any number of threads.
  virtual bool next(Slab& slab) = 0;
  /// Where an image of the set comes from, for a person: "LIST:LINE FILE"; "" where only its number tells.
  virtual std::string where([[maybe_unused]] std::int64_t image) const { return ""; }
};

/// `slab_images` images a slab (the last may be smaller), at most `options.threads` decoding threads.
/// A complete packed copy (pack.h) is used by itself. Errors as load_set.
std::unique_ptr<ImageStream> open_stream(const Benchmark& benchmark, const std::string& set_name,
                                         const LoadOptions& options, std::int64_t slab_images = 64);

}  // namespace nearfar
