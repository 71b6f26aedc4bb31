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

namespace nearfar {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFormat = "nearfar-features-1";

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

void write_features(const fs::path& folder, const FeatureKey& key, const FeatureBatch& batch) try {
  const fs::path parent = folder.parent_path().empty() ? fs::path(".") : folder.parent_path();
  // Hidden and with our process id: never taken for an image set, never another process's.
  const fs::path fresh = parent / fmt::format(".{}.{}.tmp", folder.filename().string(), getpid());
  const fs::path stale = parent / fmt::format(".{}.{}.old", folder.filename().string(), getpid());
  fs::remove_all(fresh);
  fs::create_directories(fresh);

  nlohmann::ordered_json files;
  const auto add = [&](const char* name) { files[name] = file_json(fresh / name); };
  write_tensor<float>(fresh / "features.npy", batch.features);
  add("features.npy");
  if (batch.logits.defined()) {
    write_tensor<float>(fresh / "logits.npy", batch.logits);
    add("logits.npy");
  }
  write_tensor<std::int64_t>(fresh / "labels.npy", batch.labels);
  add("labels.npy");
  write_file_atomic(fresh / "manifest.json", nlohmann::ordered_json{{"key", key_json(key)}, {"files", files}}.dump(2) + "\n");

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
  sync_folder(parent);
} catch (const fs::filesystem_error& error) {
  throw Error(ErrorKind::data, fmt::format("{}: cannot write the feature set: {}", folder.string(), error.what()));
}

bool ensure_features(const fs::path& folder, const FeatureKey& key, Network& network, const ImageView& images,
                     const std::function<void(std::int64_t)>& progress) {
  if (features_cached(folder, key)) return false;
  write_features(folder, key, run_network(network, images, 256, progress));
  return true;
}

void write_head(const fs::path& folder, const HeadWeights& head) {
  write_tensor<float>(folder / "head" / "weight.npy", head.weight);
  write_tensor<float>(folder / "head" / "bias.npy", head.bias);
}

}  // namespace nearfar
