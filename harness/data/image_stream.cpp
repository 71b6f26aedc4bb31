#include "data/image_stream.h"

#include "base/error.h"
#include "data/decode_pool.h"
#include "data/listed_set.h"
#include "data/pack.h"
#include "data/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace nearfar {
namespace {

/// Of an idx, csv, cifar or generated source: the set is in memory, slabs are lent.
class MemoryStream final : public ImageStream {
 public:
  MemoryStream(SetInfo info, std::vector<std::uint8_t> pixels, std::int64_t slab_images)
      : info_(std::move(info)), pixels_(std::move(pixels)), slab_images_(slab_images) {}

  const SetInfo& info() const override { return info_; }

  bool next(Slab& slab) override {
    if (first_ == info_.count) return false;
    const auto size = static_cast<std::size_t>(info_.channels * info_.height * info_.width);
    slab.first = first_;
    slab.count = std::min(slab_images_, info_.count - first_);
    slab.pixels = std::span(pixels_).subspan(static_cast<std::size_t>(first_) * size,
                                             static_cast<std::size_t>(slab.count) * size);
    slab.unreadable.clear();
    slab.damaged.clear();
    first_ += slab.count;
    return true;
  }

 private:
  SetInfo info_;
  std::vector<std::uint8_t> pixels_;
  std::int64_t slab_images_, first_ = 0;
};

/// Spans into the map of a packed copy. Pages that were passed are given back, so that the process does not grow to the
/// size of the set.
class PackedStream final : public ImageStream {
 public:
  PackedStream(SetInfo info, PackedSet packed, std::int64_t slab_images)
      : info_(std::move(info)), packed_(std::move(packed)), slab_images_(slab_images) {}

  const SetInfo& info() const override { return info_; }

  bool next(Slab& slab) override {
    if (first_ - released_ >= kReleaseBytes / image_bytes()) {
      packed_.release(released_, first_);
      released_ = first_;
    }
    if (first_ == info_.count) return false;
    slab.first = first_;
    slab.count = std::min(slab_images_, info_.count - first_);
    slab.pixels = packed_.rows(first_, first_ + slab.count);
    slab.unreadable.clear();
    slab.damaged.clear();
    first_ += slab.count;
    return true;
  }

 private:
  static constexpr std::int64_t kReleaseBytes = std::int64_t{32} << 20;
  std::int64_t image_bytes() const { return info_.channels * info_.height * info_.width; }

  SetInfo info_;
  PackedSet packed_;
  std::int64_t slab_images_, first_ = 0, released_ = 0;
};

class DecodingStream final : public ImageStream {
 public:
  DecodingStream(ListedSet set, OnUnreadable policy, std::int64_t slab_images, int threads)
      : set_(std::move(set)), policy_(policy), pool_(set_, 0, slab_images, threads) {}

  const SetInfo& info() const override { return set_.info; }
  std::string where(std::int64_t image) const override {
    return fmt::format("{} {}", set_.where(image), printable(set_.path(image)));
  }

  bool next(Slab& slab) override {
    if (!refusal_.empty()) throw Error(ErrorKind::data, refusal_);
    DecodedSlab decoded;
    if (!pool_.next(decoded)) return false;
    if (!decoded.failures.empty() && policy_ == OnUnreadable::fail) {
      refusal_ = decoded.failures.front().message +
                 "; get the file again, or set data.on_unreadable=skip to go on without such images, which every "
                 "result will then say";
      throw Error(ErrorKind::data, refusal_);
    }
    slab.first = decoded.first;
    slab.count = decoded.count;
    slab.pixels = decoded.pixels;
    slab.unreadable.clear();
    for (const DecodeFailure& failure : decoded.failures) slab.unreadable.push_back(failure.index);
    slab.damaged.assign(decoded.damaged.begin(), decoded.damaged.end());
    return true;
  }

 private:
  ListedSet set_;
  OnUnreadable policy_;
  std::string refusal_;
  DecodePool pool_;  // after set_, which it borrows
};

SetInfo info_of(const Benchmark& benchmark, const ImageSet& set, const LoadOptions& options) {
  if (options.limit > 0)
    return describe_set(benchmark, set.name, options);  // only the source knows how many there are without it
  const SetSpec& spec = benchmark.set(set.name);
  SetInfo info;
  info.name = set.name;
  info.group = spec.group;
  info.count = info.available = set.count;
  info.channels = set.channels;
  info.height = set.height;
  info.width = set.width;
  info.expected = spec.count;
  info.labels = set.labels;
  info.hash = set.hash;
  return info;
}

}  // namespace

std::unique_ptr<ImageStream> open_stream(const Benchmark& benchmark, const std::string& set_name,
                                         const LoadOptions& options, std::int64_t slab_images) {
  NEARFAR_ASSERT(slab_images > 0);
  if (!is_listed(benchmark.source(benchmark.set(set_name).source))) {
    ImageSet set = load_set(benchmark, set_name, options);
    SetInfo info = info_of(benchmark, set, options);
    return std::make_unique<MemoryStream>(std::move(info), std::move(set.pixels), slab_images);
  }
  ListedSet set = open_listed_set(benchmark, set_name, options);
  if (set.packed) {
    std::optional<PackedSet> packed =
        PackedSet::find(packed_folder(benchmark, options), set.list_hash, preprocess_id(set.preprocess));
    if (!packed || packed->count() != set.info.count)
      throw Error(ErrorKind::data,
                  fmt::format("the packed copy of set '{}' went away while it was opened; start again", set_name));
    check_packed(benchmark, set, options);
    return std::make_unique<PackedStream>(std::move(set.info), std::move(*packed), slab_images);
  }
  return std::make_unique<DecodingStream>(std::move(set), options.on_unreadable, slab_images, options.threads);
}

}  // namespace nearfar
