#include "data/decode_pool.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>

namespace nearfar {
namespace {

constexpr std::int64_t kRing = 3;
constexpr std::int64_t kMostThreads = 256;

struct Slot {
  std::int64_t slab = -1;    // which slab of the set it holds or will hold
  std::int64_t pending = 0;  // images that are not done yet
  std::vector<std::uint8_t> pixels;
  std::vector<Hash128> contents;
  std::vector<DecodeFailure> failures;
  std::vector<std::int64_t> damaged;
  std::int64_t broken_at = 0;  // image of `broken`
  std::exception_ptr broken;
};

/// A run of images within one slab: what a worker takes at a time.
struct Block {
  std::int64_t first = 0, last = 0;
};

}  // namespace

struct DecodePool::State {
  State(const ListedSet& listed, std::int64_t begin, std::int64_t images, std::int64_t threads)
      : set(listed), first(begin), end(listed.info.count), slab_images(images), next_image(begin), released(0) {
    const Preprocess& shape = set.preprocess;
    image_bytes = static_cast<std::size_t>(shape.height * shape.width * 3);
    // Small enough that the last threads of a slab do not wait long for each other, large enough that the lock does not
    // matter.
    block = std::clamp<std::int64_t>(slab_images / (4 * threads), 1, 16);
    ring.resize(static_cast<std::size_t>(std::min(kRing, slabs())));
    for (std::int64_t i = 0; i < threads; ++i) pipelines.emplace_back(shape);
    for (ImagePipeline& pipeline : pipelines) {
      workers.emplace_back([this, &pipeline](const std::stop_token& stop) { work(stop, pipeline); });
    }
  }

  std::int64_t slabs() const { return (end - first + slab_images - 1) / slab_images; }
  std::int64_t slab_of(std::int64_t image) const { return (image - first) / slab_images; }
  std::int64_t slab_first(std::int64_t slab) const { return first + slab * slab_images; }
  std::int64_t slab_end(std::int64_t slab) const { return std::min(end, slab_first(slab) + slab_images); }
  Slot& slot_of(std::int64_t slab) { return ring[static_cast<std::size_t>(slab) % ring.size()]; }

  /// Waits for room in the ring; an empty block at the end and when asked to stop.
  Block claim(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    const auto has_room = [this] {
      return next_image == end || slab_of(next_image) < released + static_cast<std::int64_t>(ring.size());
    };
    if (!room.wait(lock, stop, has_room) || stop.stop_requested() || next_image == end) return {};
    const std::int64_t slab = slab_of(next_image);
    if (Slot& slot = slot_of(slab); slot.slab != slab) {
      slot.slab = slab;
      slot.pending = slab_end(slab) - slab_first(slab);
      slot.pixels.resize(static_cast<std::size_t>(slot.pending) * image_bytes);
      slot.contents.assign(static_cast<std::size_t>(slot.pending), Hash128{});
      slot.failures.clear();
      slot.damaged.clear();
    }
    const Block taken{next_image, std::min(next_image + block, slab_end(slab))};
    next_image = taken.last;
    return taken;
  }

  void work(const std::stop_token& stop, ImagePipeline& pipeline) {
    std::vector<std::uint8_t> bytes;
    while (true) {
      Block taken{};
      try {
        taken = claim(stop);
      } catch (...) {
        return break_off(std::current_exception());
      }
      if (taken.first == taken.last) return;
      for (std::int64_t image = taken.first; image < taken.last && !stop.stop_requested(); ++image)
        one(image, pipeline, bytes);
      const std::lock_guard lock(mutex);
      Slot& slot = slot_of(slab_of(taken.first));
      slot.pending -= taken.last - taken.first;
      if (slot.pending == 0) ready.notify_one();
    }
  }

  void one(std::int64_t image, ImagePipeline& pipeline, std::vector<std::uint8_t>& bytes) {
    const std::int64_t slab = slab_of(image);
    Slot& slot = slot_of(slab);
    const std::span out =
        std::span(slot.pixels).subspan(static_cast<std::size_t>(image - slab_first(slab)) * image_bytes, image_bytes);
    bool was_read = false;
    try {
      const Hash128 content = set.read(image, bytes);
      was_read = true;
      slot.contents[static_cast<std::size_t>(image - slab_first(slab))] = content;
      if (pipeline.run(bytes, out)) {
        const std::lock_guard lock(mutex);
        slot.damaged.push_back(image);
      }
    } catch (const FileChanged&) {
      fail(slot, image, std::current_exception());
    } catch (const Error& error) {
      std::fill(out.begin(), out.end(), std::uint8_t{0});
      if (error.kind() == ErrorKind::data)
        fail(slot, image, error, was_read);
      else
        fail(slot, image, std::current_exception());
    } catch (...) {
      fail(slot, image, std::current_exception());
    }
  }

  void fail(Slot& slot, std::int64_t image, const Error& error, bool was_read) {
    // What reading says names the file; the decoder does not know it.
    const std::string file = was_read ? set.file(image) + ": " : "";
    DecodeFailure failure{image, fmt::format("{}: {}{}", set.where(image), file, error.what()),
                          !was_read && set.is_missing(image)};
    const std::lock_guard lock(mutex);
    slot.failures.push_back(std::move(failure));
  }

  void fail(Slot& slot, std::int64_t image, std::exception_ptr error) {
    const std::lock_guard lock(mutex);
    if (slot.broken && slot.broken_at < image) return;
    slot.broken = std::move(error);
    slot.broken_at = image;
  }

  /// No memory for a slab: nobody can go on.
  void break_off(std::exception_ptr error) {
    const std::lock_guard lock(mutex);
    if (!broken) broken = std::move(error);
    ready.notify_one();
  }

  const ListedSet& set;
  const std::int64_t first, end, slab_images;
  std::size_t image_bytes = 0;
  std::int64_t block = 1;
  std::vector<Slot> ring;
  std::vector<ImagePipeline> pipelines;
  std::mutex mutex;  // guards everything below, and the slots but for the pixels of claimed images
  std::condition_variable_any room, ready;  // for workers; for the caller
  std::int64_t next_image;                  // the first that nobody has taken
  std::int64_t released;                    // slabs that the caller has given back
  bool lent = false;                        // the caller holds slab `released`
  std::exception_ptr broken;
  std::vector<std::jthread> workers;  // last: they stop before anything they use goes away
};

DecodePool::DecodePool(const ListedSet& set, std::int64_t first, std::int64_t slab_images, int threads) {
  NEARFAR_ASSERT(first >= 0 && first <= set.info.count && slab_images > 0);
  const std::int64_t images = set.info.count - first;
  const std::int64_t workers =
      std::min({std::max<std::int64_t>(threads, 1), kMostThreads, std::max<std::int64_t>(images, 1)});
  state_ = std::make_unique<State>(set, first, std::min(slab_images, std::max<std::int64_t>(images, 1)), workers);
}

DecodePool::~DecodePool() = default;

bool DecodePool::next(DecodedSlab& slab) {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  if (s.lent) {
    s.lent = false;
    ++s.released;
    s.room.notify_all();
  }
  if (s.released == s.slabs()) return false;
  Slot& slot = s.slot_of(s.released);
  s.ready.wait(lock, [&] { return s.broken || (slot.slab == s.released && slot.pending == 0); });
  if (s.broken) std::rethrow_exception(s.broken);
  if (slot.broken) std::rethrow_exception(slot.broken);
  std::sort(slot.failures.begin(), slot.failures.end(),
            [](const DecodeFailure& a, const DecodeFailure& b) { return a.index < b.index; });
  std::sort(slot.damaged.begin(), slot.damaged.end());
  s.lent = true;
  slab.first = s.slab_first(s.released);
  slab.count = s.slab_end(s.released) - slab.first;
  slab.pixels = std::span(slot.pixels).first(static_cast<std::size_t>(slab.count) * s.image_bytes);
  slab.contents = std::span(slot.contents).first(static_cast<std::size_t>(slab.count));
  slab.failures = slot.failures;
  slab.damaged = slot.damaged;
  return true;
}

}  // namespace nearfar
