#include "features/extract.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/npy.h"
#include "features/folder.h"

#include <ATen/ops/empty.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <optional>

namespace nearfar {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFormat = "nearfar-features-2";

// With observers, pixels a batch: all maps and the graph of a ResNet are about 7 KB a pixel, so 2 GB, and 4 more where
// a method asks for float64.
constexpr std::int64_t kObservedPixels = std::int64_t{1} << 18;

template <class T>
void write_tensor(const fs::path& file, const at::Tensor& tensor) {
  const at::Tensor whole = tensor.detach().cpu().contiguous();
  write_npy<T>(file, std::span<const std::int64_t>(whole.sizes().data(), whole.sizes().size()),
               std::span<const T>(whole.const_data_ptr<T>(), static_cast<std::size_t>(whole.numel())));
}

nlohmann::ordered_json key_json(const FeatureKey& key) {
  return {{"format", kFormat},
          {"checkpoint", key.checkpoint},
          {"images", key.images},
          {"preprocess", key.preprocess},
          {"dtype", key.dtype}};
}

/// Shape, size in bytes and content hash of one .npy file.
nlohmann::ordered_json file_json(const fs::path& file) {
  const NpyArray array(file);
  return {
      {"shape", array.shape()}, {"bytes", fs::file_size(file)}, {"xxh3", fmt::format("{:016x}", xxh3(array.bytes()))}};
}

bool file_matches(const fs::path& file, const nlohmann::json& expected, bool full) {
  if (fs::file_size(file) != expected.at("bytes").get<std::uintmax_t>()) return false;
  const NpyArray array(file);
  if (array.shape() != expected.at("shape").get<std::vector<std::int64_t>>()) return false;
  return !full || fmt::format("{:016x}", xxh3(array.bytes())) == expected.at("xxh3").get<std::string>();
}

void sync_folder(const fs::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // durability only; some file systems cannot
  fsync(descriptor);
  close(descriptor);
}

}  // namespace

FeatureBatch run_network(Network& network, const ImageView& images, std::int64_t batch_size,
                         const std::function<void(std::int64_t)>& progress) {
  check_images(images);
  NEARFAR_ASSERT(batch_size > 0);
  const EvalScope scope(network);
  FeatureBatch batch;
  batch.features = at::empty({images.count, network.feature_dim()}, at::kFloat);
  if (network.has_classifier()) batch.logits = at::empty({images.count, network.output_dim()}, at::kFloat);
  batch.labels = label_tensor(images);
  for (std::int64_t first = 0; first < images.count; first += batch_size) {
    const std::int64_t last = std::min(first + batch_size, images.count);
    const at::Tensor features = network.features(test_batch(images, first, last));
    batch.features.narrow(0, first, last - first).copy_(features);
    if (batch.logits.defined()) batch.logits.narrow(0, first, last - first).copy_(network.output(features));
    if (progress) progress(last);
  }
  return batch;
}

bool features_cached(const fs::path& folder, const FeatureKey& key, bool full) {
  try {
    const fs::path file = folder / "manifest.json";
    if (!fs::is_regular_file(file)) return false;
    const nlohmann::json manifest = nlohmann::json::parse(read_file(file));
    if (manifest.at("key") != nlohmann::json(key_json(key))) return false;
    const nlohmann::json& files = manifest.at("files");
    return std::all_of(files.items().begin(), files.items().end(),
                       [&](const auto& item) { return file_matches(folder / item.key(), item.value(), full); });
  } catch (const std::exception&) {
    return false;  // damaged in whatever way: made again
  }
}

FeatureFacts read_facts(const fs::path& folder) try {
  const nlohmann::json manifest = nlohmann::json::parse(read_file(folder / "manifest.json"));
  return {manifest.at("images"), manifest.at("unreadable").get<std::vector<std::int64_t>>(), manifest.at("pixels")};
} catch (const nlohmann::json::exception& error) {
  throw Error(ErrorKind::data, fmt::format("{}: damaged manifest: {}", folder.string(), error.what()));
}

namespace {

std::string columns_hash(const std::string& columns) {
  const std::span<const char> text(columns);
  return fmt::format("{:016x}", xxh3(std::as_bytes(text)));
}

nlohmann::ordered_json columns_json(const FeatureKey& key, const std::string& columns, const fs::path& file) {
  return {{"key", key_json(key)}, {"columns", columns}, {"file", file_json(file)}};
}

void append(NpyWriter& writer, const at::Tensor& rows) {
  const at::Tensor whole = rows.detach().cpu().to(at::kFloat).contiguous();
  writer.append(std::as_bytes(std::span(whole.const_data_ptr<float>(), static_cast<std::size_t>(whole.numel()))));
}

/// The columns of one observer while they grow; K is known with the first batch.
class ColumnWriter {
 public:
  ColumnWriter(const Observer& observer, fs::path file) : observer_(observer), file_(std::move(file)) {}

  at::Tensor look(NetworkBatch& batch) {
    if (failed_) return {};
    try {
      at::Tensor rows = observer_.observe(batch);
      if (rows.size(1) != width_ && width_ != 0) {
        throw Error(
            ErrorKind::plugin,
            fmt::format("observe() gave {} columns, then {}; expected the same for every batch", width_, rows.size(1)));
      }
      width_ = rows.size(1);
      return rows;
    } catch (const std::exception&) {
      failed_ = true;
      writer_.reset();
      fs::remove(file_);
      observer_.failed(std::current_exception());
      return {};
    }
  }
  void append(const at::Tensor& rows) {
    if (failed_) return;
    if (!writer_) writer_.emplace(file_, NpyType::float32, std::vector<std::int64_t>{width_});
    nearfar::append(*writer_, rows);
  }
  /// False if it failed.
  bool finish() {
    if (failed_) return false;
    if (!writer_) writer_.emplace(file_, NpyType::float32, std::vector<std::int64_t>{1});  // no image
    writer_->finish();
    return true;
  }
  const Observer& observer() const { return observer_; }
  const fs::path& file() const { return file_; }

 private:
  const Observer& observer_;
  fs::path file_;
  std::int64_t width_ = 0;
  std::optional<NpyWriter> writer_;
  bool failed_ = false;
};

/// One pass over a stream into the .npy files of `folder`: the set's own unless it is there already, and columns.
class Extraction {
 public:
  Extraction(const fs::path& folder, bool whole, Network& network, const Normalization& normalization,
             const SetInfo& info, const std::vector<const Observer*>& observers)
      : network_(network), normalization_(normalization), info_(info) {
    if (whole) {
      features_.emplace(folder / "features.npy", NpyType::float32, std::vector<std::int64_t>{network.feature_dim()});
      labels_.emplace(folder / "labels.npy", NpyType::int64, std::vector<std::int64_t>{});
      if (network.has_classifier())
        logits_.emplace(folder / "logits.npy", NpyType::float32, std::vector<std::int64_t>{network.output_dim()});
    }
    Needs needs = 0;
    for (const Observer* observer : observers) {
      needs |= observer->needs;
      columns_.emplace_back(*observer, folder / "observed" / (columns_hash(observer->key) + ".npy"));
    }
    if (!columns_.empty()) fs::create_directories(folder / "observed");
    pass_.emplace(network, needs, normalization.std);
  }

  void add(const Slab& slab) {
    const auto count = static_cast<std::size_t>(slab.count), first = static_cast<std::size_t>(slab.first);
    const ImageView view{.pixels = slab.pixels,
                         .labels = std::span(info_.labels).subspan(first, count),
                         .count = slab.count,
                         .channels = info_.channels,
                         .height = info_.height,
                         .width = info_.width,
                         .mean = normalization_.mean,
                         .std = normalization_.std};
    check_images(view);
    pixels_ = xxh3(std::as_bytes(slab.pixels), pixels_);
    const std::int64_t step =
        columns_.empty() ? slab.count
                         : std::clamp<std::int64_t>(kObservedPixels / (info_.height * info_.width), 1, slab.count);
    for (std::int64_t begin = 0; begin < slab.count; begin += step) {
      add_batch(view, begin, std::min(begin + step, slab.count), slab);
    }
    for (const std::int64_t index : slab.unreadable) unreadable_.push_back(index);
  }

  FeatureFacts finish() {
    if (!features_) return {};
    features_->finish();
    if (logits_) logits_->finish();
    return {labels_->finish(), unreadable_, fmt::format("{:016x}", pixels_)};
  }
  std::deque<ColumnWriter>& columns() { return columns_; }
  PassCounts counts() const { return pass_->counts(); }

 private:
  void add_batch(const ImageView& view, std::int64_t begin, std::int64_t end, const Slab& slab) {
    const auto batch = pass_->run(test_batch(view, begin, end));
    std::vector<at::Tensor> looks;
    for (ColumnWriter& column : columns_) looks.push_back(column.look(*batch));
    const auto keep = [&](std::int64_t from, std::int64_t count) {
      const std::int64_t row = from - begin;
      if (features_) append(*features_, batch->features().narrow(0, row, count));
      if (logits_) append(*logits_, batch->logits().narrow(0, row, count));
      if (labels_)
        labels_->append(
            std::as_bytes(view.labels.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(count))));
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (looks[i].defined()) columns_[i].append(looks[i].narrow(0, row, count));
      }
    };
    if (slab.unreadable.empty()) return keep(begin, end - begin);
    for (std::int64_t i = begin; i < end; ++i) {
      if (!std::binary_search(slab.unreadable.begin(), slab.unreadable.end(), slab.first + i)) keep(i, 1);
    }
  }

  Network& network_;
  const Normalization& normalization_;
  const SetInfo& info_;
  std::optional<NpyWriter> features_, labels_, logits_;
  std::deque<ColumnWriter> columns_;
  std::optional<NetworkPass> pass_;
  std::uint64_t pixels_ = 0;
  std::vector<std::int64_t> unreadable_;
};

/// Columns of a set that is there: their files one by one, the .json last, for it is what says that they are whole.
void put_columns(const fs::path& fresh, const fs::path& folder) {
  if (fs::exists(fresh / "observed")) {
    fs::create_directories(folder / "observed");
    for (const char* suffix : {".npy", ".json"}) {
      for (const auto& entry : fs::directory_iterator(fresh / "observed")) {
        if (entry.path().extension() == suffix) fs::rename(entry.path(), folder / "observed" / entry.path().filename());
      }
    }
    sync_folder(folder / "observed");
  }
  fs::remove_all(fresh);
}

/// Puts `fresh` where `folder` is or was; if another process put the same set there, only the columns, which are not in
/// it.
void put_in_place(const fs::path& fresh, const fs::path& stale, const fs::path& folder, const FeatureKey& key) {
  if (fs::exists(folder) && !features_cached(folder, key)) {
    fs::remove_all(stale);
    fs::rename(folder, stale);
  }
  std::error_code occupied;
  fs::rename(fresh, folder, occupied);
  if (occupied) {
    if (!features_cached(folder, key)) {
      fs::remove_all(fresh);
      throw Error(ErrorKind::data, fmt::format("{}: cannot be put in place: {}", folder.string(), occupied.message()));
    }
    put_columns(fresh, folder);
  }
  fs::remove_all(stale);
  sync_folder(folder.parent_path());
}

void write_manifest(const fs::path& folder, const FeatureKey& key, const FeatureFacts& facts) {
  nlohmann::ordered_json files;
  for (const char* name : {"features.npy", "logits.npy", "labels.npy"}) {
    if (fs::exists(folder / name)) files[name] = file_json(folder / name);
  }
  const nlohmann::ordered_json manifest{{"key", key_json(key)},
                                        {"images", facts.images},
                                        {"unreadable", facts.unreadable},
                                        {"pixels", facts.pixels},
                                        {"files", files}};
  write_file_atomic(folder / "manifest.json", manifest.dump(2) + "\n");
}

}  // namespace

bool columns_cached(const fs::path& folder, const FeatureKey& key, const std::string& columns) {
  try {
    const fs::path file = folder / "observed" / (columns_hash(columns) + ".json");
    if (!fs::is_regular_file(file)) return false;
    const nlohmann::json manifest = nlohmann::json::parse(read_file(file));
    return manifest.at("key") == nlohmann::json(key_json(key)) && manifest.at("columns") == columns &&
           file_matches(fs::path(file).replace_extension(".npy"), manifest.at("file"), false);
  } catch (const std::exception&) {
    return false;  // damaged in whatever way: made again
  }
}

at::Tensor map_columns(const fs::path& folder, const std::string& columns) {
  return map_npy(folder / "observed" / (columns_hash(columns) + ".npy"), 2);
}

PassCounts ensure_features(const fs::path& folder, const FeatureKey& key, const std::function<Network&()>& network,
                           const Normalization& normalization,
                           const std::function<std::unique_ptr<ImageStream>()>& open,
                           const std::vector<Observer>& observers,
                           const std::function<void(std::int64_t)>& progress) try {
  const bool whole = !features_cached(folder, key);
  std::vector<const Observer*> missing;
  for (const Observer& observer : observers) {
    const bool twice =
        std::any_of(missing.begin(), missing.end(), [&](const Observer* other) { return other->key == observer.key; });
    if (!twice && (whole || !columns_cached(folder, key, observer.key))) missing.push_back(&observer);
  }
  if (!whole && missing.empty()) return {};
  const fs::path parent = folder.parent_path().empty() ? fs::path(".") : folder.parent_path();
  // Hidden and with our process id: never taken for an image set, never another process's.
  const fs::path fresh = parent / fmt::format(".{}.{}.tmp", folder.filename().string(), getpid());
  const fs::path stale = parent / fmt::format(".{}.{}.old", folder.filename().string(), getpid());
  fs::remove_all(fresh);
  fs::create_directories(fresh);
  PassCounts counts;
  try {
    const std::unique_ptr<ImageStream> stream = open();
    Extraction extraction(fresh, whole, network(), normalization, stream->info(), missing);
    Slab slab;
    while (stream->next(slab)) {
      extraction.add(slab);
      if (progress) progress(slab.first + slab.count);
    }
    for (ColumnWriter& column : extraction.columns()) {
      if (!column.finish()) continue;
      const nlohmann::ordered_json facts = columns_json(key, column.observer().key, column.file());
      write_file_atomic(fs::path(column.file()).replace_extension(".json"), facts.dump(2) + "\n");
    }
    counts = extraction.counts();
    if (whole) write_manifest(fresh, key, extraction.finish());
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(fresh, ignored);
    throw;
  }
  if (whole)
    put_in_place(fresh, stale, folder, key);
  else
    put_columns(fresh, folder);
  return counts;
} catch (const fs::filesystem_error& error) {
  throw Error(ErrorKind::data, fmt::format("{}: cannot write the feature set: {}", folder.string(), error.what()));
}

void write_head(const fs::path& folder, const HeadWeights& head) {
  write_tensor<float>(folder / "head" / "weight.npy", head.weight);
  write_tensor<float>(folder / "head" / "bias.npy", head.bias);
}

}  // namespace nearfar
