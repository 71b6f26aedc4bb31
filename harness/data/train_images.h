#pragma once
/// Where the pixels of training images come from, one image at a time and in any order: what a worker of the training
/// stream reads with. Torch-free.
#include "data/listed_set.h"
#include "pixels/crop.h"

#include <cstdint>
#include <memory>
#include <span>

namespace nearfar {

/// What training crops are cut from.
enum class TrainPixels {
  prepared,    ///< the set's images as they are evaluated: resized and cut by its preprocessing
  files,       ///< the files themselves
  short_side,  ///< a training copy (train_pack.h): the files' images, their shorter side resized
};

/// One a thread. What it throws is of the image that is open: Error(data) for one that cannot be used, without the name
/// of the file where that could be read; FileChanged; other errors.
class TrainImageReader {
 public:
  virtual ~TrainImageReader() = default;
  /// The size that crops are cut from.
  virtual ImageSize open(std::int64_t index) = 0;
  /// Images come from a packed or training copy: an Error is about that, and not about one image.
  virtual bool is_copy() const = 0;
  /// The file has been read: what is thrown is about what is in it.
  virtual bool was_read() const = 0;
  /// Of the open image; each resized to the set's size. True if it is damaged. `reduced`: pixels/crop.h.
  virtual bool crops(std::span<const Crop> crops, bool reduced) = 0;
  /// The open image at the set's size, lent until the next call; `damaged` as above. Not for short_side.
  virtual std::span<const std::uint8_t> whole(bool& damaged) = 0;
};

/// An open set. Safe from any thread but for its readers.
class TrainImages {
 public:
  virtual ~TrainImages() = default;
  virtual const ListedSet& set() const = 0;
  virtual std::unique_ptr<TrainImageReader> reader() const = 0;
};

/// A listed set. `side`: of short_side. Errors as open_listed_set and, of kind data: a packed copy that went away or
/// has other images than the files, a training copy that is not there, is damaged, or was made of other files.
std::unique_ptr<TrainImages> open_train_images(const Benchmark& benchmark, const std::string& set_name,
                                               const LoadOptions& options, TrainPixels pixels, std::int64_t side);

}  // namespace nearfar
