#include "data/train_images.h"

#include "base/error.h"
#include "data/pack.h"
#include "data/train_pack.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

class FileReader final : public TrainImageReader {
 public:
  explicit FileReader(const ListedSet& set)
      : set_(set), cropper_(set.info.height, set.info.width), pipeline_(set.preprocess) {}

  ImageSize open(std::int64_t index) override {
    was_read_ = false;
    set_.read(index, bytes_);
    was_read_ = true;
    return cropper_.open(bytes_);
  }
  bool is_copy() const override { return false; }
  bool was_read() const override { return was_read_; }
  bool crops(std::span<const Crop> crops, bool reduced) override { return cropper_.read(crops, reduced); }
  std::span<const std::uint8_t> whole(bool& damaged) override {
    pixels_.resize(static_cast<std::size_t>(set_.info.height * set_.info.width * 3));
    damaged = pipeline_.run(bytes_, pixels_);
    return pixels_;
  }

 private:
  const ListedSet& set_;
  CropReader cropper_;
  ImagePipeline pipeline_;
  std::vector<std::uint8_t> bytes_, pixels_;
  bool was_read_ = false;
};

/// Images of the set's size, from the files or from `packed`.
class PreparedReader final : public TrainImageReader {
 public:
  PreparedReader(const ListedSet& set, const PackedSet* packed)
      : set_(set), packed_(packed), cropper_(set.info.height, set.info.width) {
    if (packed == nullptr) files_.emplace(set);
  }

  ImageSize open(std::int64_t index) override {
    damaged_ = false;
    if (packed_ != nullptr) {
      pixels_ = packed_->rows(index, index + 1);
    } else {
      files_->open(index);
      pixels_ = files_->whole(damaged_);
    }
    return size();
  }
  bool is_copy() const override { return packed_ != nullptr; }
  bool was_read() const override { return packed_ == nullptr && files_->was_read(); }
  bool crops(std::span<const Crop> crops, bool /*reduced*/) override {
    cropper_.read(PixelView{pixels_, size()}, crops);
    return damaged_;
  }
  std::span<const std::uint8_t> whole(bool& damaged) override {
    damaged = damaged_;
    return pixels_;
  }

 private:
  ImageSize size() const { return {set_.info.width, set_.info.height}; }

  const ListedSet& set_;
  const PackedSet* packed_;
  CropReader cropper_;
  std::optional<FileReader> files_;
  std::span<const std::uint8_t> pixels_;
  bool damaged_ = false;
};

class TrainPackReader final : public TrainImageReader {
 public:
  TrainPackReader(const TrainPack& pack, const SetInfo& info) : pack_(pack), cropper_(info.height, info.width) {}

  ImageSize open(std::int64_t index) override {
    index_ = index;
    return pack_.size(index);
  }
  bool is_copy() const override { return true; }
  bool was_read() const override { return false; }
  bool crops(std::span<const Crop> crops, bool /*reduced*/) override {
    cropper_.read(pack_.image(index_), crops);
    return pack_.damaged(index_);
  }
  std::span<const std::uint8_t> whole(bool& /*damaged*/) override {
    throw Error(ErrorKind::internal, "training copies have images of many sizes");
  }

 private:
  const TrainPack& pack_;
  CropReader cropper_;
  std::int64_t index_ = 0;
};

class PackedTrainImages final : public TrainImages {
 public:
  PackedTrainImages(ListedSet set, TrainPack pack) : set_(std::move(set)), pack_(std::move(pack)) {}
  const ListedSet& set() const override { return set_; }
  std::unique_ptr<TrainImageReader> reader() const override {
    return std::make_unique<TrainPackReader>(pack_, set_.info);
  }

 private:
  ListedSet set_;
  TrainPack pack_;
};

class ListedTrainImages final : public TrainImages {
 public:
  ListedTrainImages(ListedSet set, std::optional<PackedSet> packed, TrainPixels pixels)
      : set_(std::move(set)), packed_(std::move(packed)), pixels_(pixels) {}
  const ListedSet& set() const override { return set_; }
  std::unique_ptr<TrainImageReader> reader() const override {
    if (pixels_ == TrainPixels::files) return std::make_unique<FileReader>(set_);
    return std::make_unique<PreparedReader>(set_, packed_ ? &*packed_ : nullptr);
  }

 private:
  ListedSet set_;
  std::optional<PackedSet> packed_;
  TrainPixels pixels_;
};

}  // namespace

std::unique_ptr<TrainImages> open_train_images(const Benchmark& benchmark, const std::string& set_name,
                                               const LoadOptions& options, TrainPixels pixels, std::int64_t side) {
  LoadOptions listed = options;
  listed.originals = pixels != TrainPixels::prepared;
  ListedSet set = open_listed_set(benchmark, set_name, listed);
  if (pixels == TrainPixels::short_side) {
    TrainPack pack(train_pack_file(benchmark, options, set, side), set, side);
    return std::make_unique<PackedTrainImages>(std::move(set), std::move(pack));
  }
  std::optional<PackedSet> packed;
  if (set.packed) {
    packed = PackedSet::find(packed_folder(benchmark, options), set.list_hash, preprocess_id(set.preprocess));
    if (!packed || packed->count() != set.info.count)
      throw Error(ErrorKind::data,
                  fmt::format("the packed copy of set '{}' went away while it was opened; start again", set_name));
    check_packed(benchmark, set, options);
  }
  return std::make_unique<ListedTrainImages>(std::move(set), std::move(packed), pixels);
}

}  // namespace nearfar
