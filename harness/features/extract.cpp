#include "features/extract.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/npy.h"

#include <ATen/ops/empty.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace nearfar {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFormat = "nearfar-features-2";

template <class T>
void write_tensor(const fs::path& file, const at::Tensor& tensor) {
  const at::Tensor whole = tensor.detach().cpu().contiguous();
  write_npy<T>(file, std::span<const std::int64_t>(whole.sizes().data(), whole.sizes().size()),
               std::span<const T>(whole.const_data_ptr<T>(), static_cast<std::size_t>(whole.numel())));
}

nlohmann::ordered_json key_json(const FeatureKey& key) {
  return {
      {"format", kFormat}, {"checkpoint", key.checkpoint}, {"images", key.images}, {"preprocess", key.preprocess}, {"dtype", key.dtype}};
}

/// Shape, size in bytes and content hash of one .npy file.
nlohmann::ordered_json file_json(const fs::path& file) {
  const NpyArray array(file);
  return {{"shape", array.shape()}, {"bytes", fs::file_size(file)}, {"xxh3", fmt::format("{:016x}", xxh3(array.bytes()))}};
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

/// One pass over a stream into the .npy files of `folder`. Returns what the manifest says of the images.
class Extraction {
 public:
  Extraction(const fs::path& folder, Network& network, const Normalization& normalization, const SetInfo& info)
      : network_(network),
        normalization_(normalization),
        info_(info),
        features_(folder / "features.npy", NpyType::float32, {network.feature_dim()}),
        labels_(folder / "labels.npy", NpyType::int64, {}) {
    if (network.has_classifier()) logits_.emplace(folder / "logits.npy", NpyType::float32, std::vector<std::int64_t>{network.output_dim()});
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
    const at::Tensor features = network_.features(test_batch(view, 0, slab.count));
    const at::Tensor logits = logits_ ? network_.output(features) : at::Tensor();
    if (slab.unreadable.empty()) {
      append(features_, features);
      if (logits_) append(*logits_, logits);
      labels_.append(std::as_bytes(view.labels));
      return;
    }
    for (std::int64_t i = 0; i < slab.count; ++i) {
      if (std::binary_search(slab.unreadable.begin(), slab.unreadable.end(), slab.first + i)) {
        unreadable_.push_back(slab.first + i);
        continue;
      }
      append(features_, features.narrow(0, i, 1));
      if (logits_) append(*logits_, logits.narrow(0, i, 1));
      labels_.append(std::as_bytes(view.labels.subspan(static_cast<std::size_t>(i), 1)));
    }
  }

  FeatureFacts finish() {
    features_.finish();
    if (logits_) logits_->finish();
    return {labels_.finish(), unreadable_, fmt::format("{:016x}", pixels_)};
  }

 private:
  static void append(NpyWriter& writer, const at::Tensor& rows) {
    const at::Tensor whole = rows.detach().cpu().to(at::kFloat).contiguous();
    writer.append(std::as_bytes(std::span(whole.const_data_ptr<float>(), static_cast<std::size_t>(whole.numel()))));
  }

  Network& network_;
  const Normalization& normalization_;
  const SetInfo& info_;
  NpyWriter features_, labels_;
  std::optional<NpyWriter> logits_;
  std::uint64_t pixels_ = 0;
  std::vector<std::int64_t> unreadable_;
};

/// Puts `fresh` where `folder` is or was, unless another process put the same set there.
void put_in_place(const fs::path& fresh, const fs::path& stale, const fs::path& folder, const FeatureKey& key) {
  if (fs::exists(folder) && !features_cached(folder, key)) {
    fs::remove_all(stale);
    fs::rename(folder, stale);
  }
  std::error_code occupied;
  fs::rename(fresh, folder, occupied);
  if (occupied) {
    fs::remove_all(fresh);
    if (!features_cached(folder, key))
      throw Error(ErrorKind::data, fmt::format("{}: cannot be put in place: {}", folder.string(), occupied.message()));
  }
  fs::remove_all(stale);
  sync_folder(folder.parent_path());
}

}  // namespace

bool ensure_features(const fs::path& folder, const FeatureKey& key, Network& network, const Normalization& normalization,
                     const std::function<std::unique_ptr<ImageStream>()>& open, const std::function<void(std::int64_t)>& progress) try {
  if (features_cached(folder, key)) return false;
  const fs::path parent = folder.parent_path().empty() ? fs::path(".") : folder.parent_path();
  // Hidden and with our process id: never taken for an image set, never another process's.
  const fs::path fresh = parent / fmt::format(".{}.{}.tmp", folder.filename().string(), getpid());
  const fs::path stale = parent / fmt::format(".{}.{}.old", folder.filename().string(), getpid());
  fs::remove_all(fresh);
  fs::create_directories(fresh);
  FeatureFacts facts;
  try {
    const EvalScope scope(network);
    const std::unique_ptr<ImageStream> stream = open();
    Extraction extraction(fresh, network, normalization, stream->info());
    Slab slab;
    while (stream->next(slab)) {
      extraction.add(slab);
      if (progress) progress(slab.first + slab.count);
    }
    facts = extraction.finish();
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(fresh, ignored);
    throw;
  }
  nlohmann::ordered_json files;
  for (const char* name : {"features.npy", "logits.npy", "labels.npy"}) {
    if (fs::exists(fresh / name)) files[name] = file_json(fresh / name);
  }
  const nlohmann::ordered_json manifest{
      {"key", key_json(key)}, {"images", facts.images}, {"unreadable", facts.unreadable}, {"pixels", facts.pixels}, {"files", files}};
  write_file_atomic(fresh / "manifest.json", manifest.dump(2) + "\n");
  put_in_place(fresh, stale, folder, key);
  return true;
} catch (const fs::filesystem_error& error) {
  throw Error(ErrorKind::data, fmt::format("{}: cannot write the feature set: {}", folder.string(), error.what()));
}

void write_head(const fs::path& folder, const HeadWeights& head) {
  write_tensor<float>(folder / "head" / "weight.npy", head.weight);
  write_tensor<float>(folder / "head" / "bias.npy", head.bias);
}

}  // namespace nearfar
