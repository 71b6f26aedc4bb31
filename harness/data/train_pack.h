#pragma once
/// Training copies: all images of a set in one file, decoded, with their shorter side resized to a stated size and
/// their proportions kept; memory-mapped, so that training crops need no decoding. Other pixels than the files' crops:
/// they are cut from the resized images. Resumable, as packed copies are (pack.h). Torch-free. docs/data.md has the
/// layout of the file.
#include "data/listed_set.h"
#include "data/pack.h"
#include "pixels/crop.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace nearfar {

/// Where the training copy of a set lies; named by the list (ListedSet::list_hash) and the side.
std::filesystem::path train_pack_file(const Benchmark& benchmark, const LoadOptions& options, const ListedSet& set,
                                      std::int64_t side);

/// An open training copy. Safe from any thread.
class TrainPack {
 public:
  /// Of the files as `set` has them (LoadOptions::originals). Error(data): it is not there (with the command that makes
  /// it), is damaged, or was made of other files.
  TrainPack(const std::filesystem::path& file, const ListedSet& set, std::int64_t side);
  TrainPack(TrainPack&&) noexcept;
  TrainPack& operator=(TrainPack&&) noexcept;
  ~TrainPack();

  /// Error(data) if its checksum does not fit; each image is compared once.
  PixelView image(std::int64_t index) const;
  ImageSize size(std::int64_t index) const;
  bool damaged(std::int64_t index) const;  ///< its file was, when it was packed

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Makes one. An image whose shorter side is not above `side` (16 to 4096, else Error(config)) stays as it is. Errors
/// and resuming as pack_set.
PackReport pack_for_training(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options,
                             std::int64_t side, const PackOptions& packing = {});

}  // namespace nearfar
