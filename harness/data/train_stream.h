#pragma once
/// Augmented training images of a set that comes from a list or from class folders, batch after batch, made by a pool
/// of threads ahead of who trains. Memory does not grow with the set. Used by one thread; the pool is its own.
/// Torch-free.
///
/// A view of an image is a pure function of (seed, epoch, position of the image in the set, view), the recipe and the
/// image: neither the number of threads, nor the batches, nor where an epoch is taken up changes a byte. Random numbers
/// are those of nearfar::augment (kernels/augment_body.h), and so are the bytes for images that have the set's size.
/// With a resized crop the crop is drawn for the size that the image has (RandomResizedCrop of torchvision, to the byte
/// but for reduced decoding); without one the image is first resized and cut by the set's preprocessing.
#include "data/image_set.h"
#include "data/train_images.h"
#include "kernels/augment_recipe.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// Memory of a slab, and how it is given back. The stream writes to it from its threads, and only while it lives.
using SlabMemory = std::unique_ptr<std::uint8_t, std::function<void(std::uint8_t*)>>;

struct TrainStreamOptions {
  AugmentRecipe recipe = {};
  std::uint64_t seed = 0;
  std::int64_t batch = 1;  ///< images a slab; the last one of an epoch has what is left
  int ahead = 2;           ///< slabs that are made while the caller holds one
  TrainPixels pixels = TrainPixels::files;
  std::int64_t side = 256;      ///< of TrainPixels::short_side
  bool exact_decoding = false;  ///< large JPEG files are decoded whole, not at 1/2, 1/4 or 1/8 (pixels/crop.h)
  /// Called ahead + 1 times, each for views * batch * height * width * 3 bytes, by the thread that opens the stream;
  /// empty: the heap. What it throws is thrown there. Pinned memory, for instance.
  std::function<SlabMemory(std::size_t bytes)> allocate = {};
};

/// A batch. Everything is valid until the next call.
struct TrainSlab {
  std::int64_t first = 0, count = 0;     ///< places in the order that begin_epoch() was given
  std::span<const std::uint8_t> pixels;  ///< [views * count, height, width, 3], all of view 0 first
  std::span<const std::int64_t> labels;  ///< [count]
  /// Positions in the set of images that cannot be used, ascending (OnUnreadable::skip only). Their place in the batch
  /// has, with its label, the next image of the set that can be: batches keep their size.
  std::span<const std::int64_t> unreadable;
  std::span<const std::int64_t> damaged;  ///< positions of images whose files are cut off or have errors, ascending
};

class TrainStream {
 public:
  /// As LoadOptions says: threads, on_unreadable, where the files are. Errors as load_set; Error(config) for a set of
  /// another source (those are in memory anyway) and for a recipe that is none.
  TrainStream(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options,
              TrainStreamOptions stream);
  ~TrainStream();  ///< in the middle of an epoch too: waits only for the images in hand
  TrainStream(const TrainStream&) = delete;
  TrainStream& operator=(const TrainStream&) = delete;

  const SetInfo& info() const;
  /// Where an image of the set comes from, for a person: "LIST:LINE FILE".
  std::string where(std::int64_t image) const;

  /// `order`: positions in the set, in the order in which this epoch visits them, of which the first `done` are done: a
  /// multiple of the batch, or all. What is left of an epoch before is dropped. The slabs begin to be made.
  void begin_epoch(std::int64_t epoch, std::span<const std::int64_t> order, std::int64_t done);
  /// The next batch; false at the end of the epoch. Waits for it. Throws what a worker met, that of the first image in
  /// this order: Error(data) "LIST:LINE: FILE: reason" (OnUnreadable::fail, or no image at all can be used), a file
  /// that was changed since the set was opened, or what else there was; and again when called again.
  bool next(TrainSlab& slab);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nearfar
