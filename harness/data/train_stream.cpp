#include "data/train_stream.h"

#include "base/error.h"
#include "data/printable.h"
#include "data/view_maker.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

namespace nearfar {
namespace {

constexpr std::int64_t kMostThreads = 256;
constexpr std::int64_t kMostAhead = 1024;

struct Slot {
  SlabMemory memory;         // views * batch images, the slab's in front
  std::int64_t slab = -1;    // which slab of the epoch it holds or will hold
  std::int64_t pending = 0;  // images that are not done yet
  std::vector<std::int64_t> labels, unreadable, damaged;
  std::int64_t broken_at = 0;  // place of `broken`
  std::exception_ptr broken;
};

/// A run of places within one slab: what a worker takes at a time.
struct Block {
  std::int64_t first = 0, last = 0;
};

SlabMemory from_heap(std::size_t bytes) {
  return {new std::uint8_t[bytes], [](std::uint8_t* memory) { delete[] memory; }};
}

/// What is wrong with an image, for a person.
Error as_told(const ListedSet& set, std::int64_t index, const Error& error, bool was_read) {
  // What reading says names the file; the decoder does not know it.
  return Error(ErrorKind::data,
               fmt::format("{}: {}{}", set.where(index), was_read ? set.file(index) + ": " : "", error.what()));
}

/// One epoch: its places, the ring of slots, and the threads that fill it.
struct Epoch {
  Epoch(const ListedSet& listed, bool skips, std::int64_t images, std::size_t bytes, std::vector<Slot>& slots,
        std::vector<ViewMaker>& viewers, int view_count, std::int64_t number, std::span<const std::int64_t> places,
        std::int64_t done)
      : set(listed),
        skip(skips),
        batch(images),
        image_bytes(bytes),
        ring(slots),
        views(view_count),
        epoch(number),
        order(places.begin(), places.end()),
        next_place(done),
        released((done + images - 1) / images) {
    for (Slot& slot : ring) slot.slab = -1;
    // Small enough that the last threads of a slab do not wait long for each other, large enough that the lock does not
    // matter.
    block = std::clamp<std::int64_t>(batch / (4 * static_cast<std::int64_t>(viewers.size())), 1, 16);
    for (ViewMaker& maker : viewers)
      workers.emplace_back([this, &maker](const std::stop_token& stop) { work(stop, maker); });
  }

  std::int64_t end() const { return static_cast<std::int64_t>(order.size()); }
  std::int64_t slabs() const { return (end() + batch - 1) / batch; }
  std::int64_t slab_end(std::int64_t slab) const { return std::min(end(), (slab + 1) * batch); }
  Slot& slot_of(std::int64_t slab) { return ring[static_cast<std::size_t>(slab) % ring.size()]; }

  /// Waits for room in the ring; an empty block at the end and when asked to stop.
  Block claim(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    const auto has_room = [this] {
      return next_place == end() || next_place / batch < released + static_cast<std::int64_t>(ring.size());
    };
    if (!room.wait(lock, stop, has_room) || stop.stop_requested() || next_place == end()) return {};
    const std::int64_t slab = next_place / batch;
    if (Slot& slot = slot_of(slab); slot.slab != slab) {
      slot.slab = slab;
      slot.pending = slab_end(slab) - slab * batch;
      slot.labels.assign(static_cast<std::size_t>(slot.pending), -1);
      slot.unreadable.clear();
      slot.damaged.clear();
      slot.broken = nullptr;
    }
    const Block taken{next_place, std::min(next_place + block, slab_end(slab))};
    next_place = taken.last;
    return taken;
  }

  void work(const std::stop_token& stop, ViewMaker& maker) {
    std::vector<std::uint8_t*> outs(static_cast<std::size_t>(views));
    while (true) {
      Block taken{};
      try {
        taken = claim(stop);
      } catch (...) {
        return break_off(std::current_exception());
      }
      if (taken.first == taken.last) return;
      for (std::int64_t place = taken.first; place < taken.last && !stop.stop_requested(); ++place)
        fill(place, maker, outs);
      const std::lock_guard lock(mutex);
      Slot& slot = slot_of(taken.first / batch);
      slot.pending -= taken.last - taken.first;
      if (slot.pending == 0) ready.notify_one();
    }
  }

  void fill(std::int64_t place, ViewMaker& maker, std::vector<std::uint8_t*>& outs) {
    const std::int64_t slab = place / batch, row = place - slab * batch, rows = slab_end(slab) - slab * batch;
    Slot& slot = slot_of(slab);
    for (std::int64_t view = 0; view < views; ++view)
      outs[static_cast<std::size_t>(view)] =
          slot.memory.get() + static_cast<std::size_t>(view * rows + row) * image_bytes;
    try {
      const std::int64_t used = first_usable(order[static_cast<std::size_t>(place)], slot, maker, outs);
      slot.labels[static_cast<std::size_t>(row)] = set.info.labels[static_cast<std::size_t>(used)];
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (slot.broken && slot.broken_at < place) return;
      slot.broken = std::current_exception();
      slot.broken_at = place;
    }
  }

  /// Image `wanted`, or the next one of the set that can be used (then `wanted` is told of); returns which.
  std::int64_t first_usable(std::int64_t wanted, Slot& slot, ViewMaker& maker, std::span<std::uint8_t* const> outs) {
    const std::int64_t count = set.info.count;
    std::optional<Error> first;
    for (std::int64_t tried = 0; tried < count; ++tried) {
      const std::int64_t index = (wanted + tried) % count;
      try {
        const bool damaged = maker.make(index, epoch, outs);
        const std::lock_guard lock(mutex);
        if (first) slot.unreadable.push_back(wanted);
        if (damaged) slot.damaged.push_back(index);
        return index;
      } catch (const FileChanged&) {
        throw;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::data || maker.is_copy()) throw;
        if (!first) first = as_told(set, index, error, maker.was_read());
        if (!skip)
          throw Error(ErrorKind::data,
                      std::string(first->what()) +
                          "; get the file again, or set data.on_unreadable=skip to go on without such images, which "
                          "every result will then say");
      }
    }
    throw Error(ErrorKind::data, std::string(first->what()) + "; no image of the set can be used");
  }

  /// No memory for a slab: nobody can go on.
  void break_off(std::exception_ptr error) {
    const std::lock_guard lock(mutex);
    if (!broken) broken = std::move(error);
    ready.notify_one();
  }

  const ListedSet& set;
  const bool skip;
  const std::int64_t batch;
  const std::size_t image_bytes;
  std::vector<Slot>& ring;
  const std::int64_t views, epoch;
  const std::vector<std::int64_t> order;
  std::int64_t block = 1;
  std::mutex mutex;  // guards everything below, and the slots but for the pixels and labels of claimed places
  std::condition_variable_any room, ready;  // for workers; for the caller
  std::int64_t next_place;                  // the first that nobody has taken
  std::int64_t released;                    // slabs that the caller has given back, and those that were done before
  bool lent = false;                        // the caller holds slab `released`
  std::exception_ptr broken;
  std::vector<std::jthread> workers;  // last: they stop before anything they use goes away
};

}  // namespace

struct TrainStream::State {
  std::unique_ptr<TrainImages> images;
  bool skip = false;
  TrainStreamOptions options;
  std::size_t image_bytes = 0;
  std::vector<Slot> ring;
  std::vector<ViewMaker> makers;
  std::unique_ptr<Epoch> epoch;  // last: it uses all of the above
};

TrainStream::TrainStream(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options,
                         TrainStreamOptions stream) {
  if (!is_listed(benchmark.source(benchmark.set(set_name).source))) {
    throw Error(ErrorKind::config, fmt::format("set '{}' of benchmark '{}' does not come from image files, so its "
                                               "images cannot be streamed: they are read whole",
                                               set_name, benchmark.name));
  }
  check_recipe(stream.recipe);
  if (stream.batch < 1 || stream.ahead < 1 || stream.ahead > kMostAhead) {
    throw Error(ErrorKind::config, fmt::format("batches of {} images, {} ahead: at least 1 is expected, and at most {} "
                                               "ahead",
                                               stream.batch, stream.ahead, kMostAhead));
  }
  if (stream.pixels == TrainPixels::short_side && stream.recipe.smallest_crop >= 1)
    throw Error(ErrorKind::config, "a training copy is for recipes with a resized crop, and this one has none");
  state_ = std::make_unique<State>();
  State& s = *state_;
  s.images = open_train_images(benchmark, set_name, options, stream.pixels, stream.side);
  s.skip = options.on_unreadable == OnUnreadable::skip;
  s.options = std::move(stream);
  const SetInfo& set = s.images->set().info;
  s.image_bytes = static_cast<std::size_t>(set.height * set.width * 3);
  s.options.batch = std::clamp<std::int64_t>(s.options.batch, 1, std::max<std::int64_t>(1, set.count));
  s.ring.resize(static_cast<std::size_t>(s.options.ahead) + 1);
  const std::size_t bytes = static_cast<std::size_t>(s.options.recipe.views * s.options.batch) * s.image_bytes;
  for (Slot& slot : s.ring) slot.memory = s.options.allocate ? s.options.allocate(bytes) : from_heap(bytes);
  const std::int64_t threads = std::clamp<std::int64_t>(options.threads, 1, kMostThreads);
  for (std::int64_t i = 0; i < threads; ++i)
    s.makers.emplace_back(*s.images, s.options.recipe, s.options.seed, !s.options.exact_decoding);
}

TrainStream::~TrainStream() = default;

const SetInfo& TrainStream::info() const { return state_->images->set().info; }

std::string TrainStream::where(std::int64_t image) const {
  const ListedSet& set = state_->images->set();
  return fmt::format("{} {}", set.where(image), printable(set.path(image)));
}

void TrainStream::begin_epoch(std::int64_t epoch, std::span<const std::int64_t> order, std::int64_t done) {
  State& s = *state_;
  const auto count = static_cast<std::int64_t>(order.size());
  NEARFAR_ASSERT(done >= 0 && done <= count && (done % s.options.batch == 0 || done == count));
  for (const std::int64_t index : order) NEARFAR_ASSERT(index >= 0 && index < info().count);
  s.epoch.reset();
  s.epoch = std::make_unique<Epoch>(s.images->set(), s.skip, s.options.batch, s.image_bytes, s.ring, s.makers,
                                    s.options.recipe.views, epoch, order, done);
}

bool TrainStream::next(TrainSlab& slab) {
  State& s = *state_;
  NEARFAR_ASSERT(s.epoch != nullptr);
  Epoch& e = *s.epoch;
  std::unique_lock lock(e.mutex);
  if (e.lent) {
    e.lent = false;
    ++e.released;
    e.room.notify_all();
  }
  if (e.released >= e.slabs()) return false;
  Slot& slot = e.slot_of(e.released);
  e.ready.wait(lock, [&] { return e.broken || (slot.slab == e.released && slot.pending == 0); });
  if (e.broken) std::rethrow_exception(e.broken);
  if (slot.broken) std::rethrow_exception(slot.broken);
  std::sort(slot.unreadable.begin(), slot.unreadable.end());
  std::sort(slot.damaged.begin(), slot.damaged.end());
  e.lent = true;
  slab.first = e.released * e.batch;
  slab.count = e.slab_end(e.released) - slab.first;
  slab.pixels = {slot.memory.get(), static_cast<std::size_t>(e.views * slab.count) * s.image_bytes};
  slab.labels = slot.labels;
  slab.unreadable = slot.unreadable;
  slab.damaged = slot.damaged;
  return true;
}

}  // namespace nearfar
