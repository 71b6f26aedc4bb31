#pragma once
/// Decoding of a listed set by a pool of threads, in list order: what image_stream, pack and check are made of.
/// Torch-free.
#include "data/listed_set.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// An image that cannot be used.
struct DecodeFailure {
  std::int64_t index = 0;  ///< in the set
  std::string message;     ///< "LIST:LINE: FILE: reason"
  bool missing = false;    ///< there is no such file
};

/// Images first … first+count-1 of the set.
struct DecodedSlab {
  std::int64_t first = 0, count = 0;
  std::span<const std::uint8_t>
      pixels;                         ///< [count, height, width, 3]; valid until the next call; 0 where an image failed
  std::span<const Hash128> contents;  ///< [count] of the files' bytes; 0 where a file could not be read
  std::span<const DecodeFailure> failures;  ///< ascending; valid as long as `pixels`
  /// Images whose files are cut off or have errors (pixels/decode.h): usable, with pixels that are made up. As
  /// `failures`.
  std::span<const std::int64_t> damaged;
};

/// A ring of three slabs: one is the caller's, two are being filled. Used by one thread; the pool is its own. The same
/// slabs for any number of threads. The destructor stops in the middle of a set and waits only for the images in hand.
class DecodePool {
 public:
  /// Slabs of `slab_images`, beginning with image `first`. `set` must outlive the pool.
  DecodePool(const ListedSet& set, std::int64_t first, std::int64_t slab_images, int threads);
  ~DecodePool();
  DecodePool(const DecodePool&) = delete;
  DecodePool& operator=(const DecodePool&) = delete;

  /// False at the end. Images that cannot be used are entries; any other exception of a worker (out of memory; a file
  /// whose contents are not those of ListedSet::contents: Error(data)) is thrown here, that of the first image in list
  /// order.
  bool next(DecodedSlab& slab);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nearfar
