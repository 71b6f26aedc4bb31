#include "features/cache.h"

#include "base/error.h"
#include "base/files.h"
#include "device/transfer.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <system_error>
#include <utility>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// Those whose columns are not there yet, each key once.
std::vector<const Observer*> missing_columns(const fs::path& folder, const FeatureKey& key, bool whole,
                                             const std::vector<Observer>& observers) {
  std::vector<const Observer*> missing;
  for (const Observer& observer : observers) {
    const bool twice =
        std::any_of(missing.begin(), missing.end(), [&](const Observer* other) { return other->key == observer.key; });
    if (!twice && (whole || !columns_cached(folder, key, observer.key))) missing.push_back(&observer);
  }
  return missing;
}

/// Everything that is wanted, into `fresh`.
PassCounts make(const fs::path& fresh, bool whole, const SetRequest& request, const NetworkSource& network,
                const std::vector<const Observer*>& observers, const std::function<void(std::int64_t)>& progress) {
  const std::unique_ptr<ImageStream> stream = request.open();
  SetPass pass(fresh, whole, network(), request.normalization, *stream, observers);
  Slab slab;
  while (stream->next(slab)) {
    pass.add(slab);
    if (progress) progress(slab.first + slab.count);
  }
  for (const Observer* observer : pass.finish_columns()) write_columns_manifest(fresh, request.key, observer->key);
  if (whole) write_manifest(fresh, request.key, pass.finish());
  return pass.counts();
}

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
void put_in_place(const fs::path& fresh, const fs::path& folder, const FeatureKey& key) {
  const fs::path stale = temporary_name(folder);
  if (fs::exists(folder) && !features_cached(folder, key)) fs::rename(folder, stale);
  std::error_code occupied;
  fs::rename(fresh, folder, occupied);
  if (occupied) {
    if (!features_cached(folder, key)) {
      fs::remove_all(fresh);
      throw Error(ErrorKind::data, fmt::format("{}: cannot be put in place: {}", folder.string(), occupied.message()));
    }
    put_columns(fresh, folder);
  }
  fs::remove_all(stale, occupied);  // whatever stays is removed as stale, some day
  sync_folder(folder.parent_path());
}

void write_tensor(const fs::path& file, const at::Tensor& tensor) {
  const at::Tensor whole = download(tensor.detach()).contiguous();
  write_npy<float>(file, std::span<const std::int64_t>(whole.sizes().data(), whole.sizes().size()),
                   std::span<const float>(whole.const_data_ptr<float>(), static_cast<std::size_t>(whole.numel())));
}

}  // namespace

PassCounts FeatureCache::ensure(const SetRequest& request, const NetworkSource& network,
                                const std::vector<Observer>& observers,
                                const std::function<void(std::int64_t)>& progress) const {
  const fs::path folder = root_ / request.name;
  try {
    const bool whole = !features_cached(folder, request.key);
    const std::vector<const Observer*> missing = missing_columns(folder, request.key, whole, observers);
    if (!whole && missing.empty()) return {};
    remove_stale_temporaries(folder);
    const fs::path fresh = temporary_name(folder);
    fs::create_directories(fresh);
    PassCounts counts;
    try {
      counts = make(fresh, whole, request, network, missing, progress);
    } catch (...) {
      std::error_code ignored;
      fs::remove_all(fresh, ignored);
      throw;
    }
    if (whole)
      put_in_place(fresh, folder, request.key);
    else
      put_columns(fresh, folder);
    return counts;
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::data, fmt::format("{}: cannot write the feature set: {}", folder.string(), error.what()));
  }
}

PassCounts ensure_features(const fs::path& folder, const FeatureKey& key, const NetworkSource& network,
                           const Normalization& normalization, const StreamSource& open,
                           const std::vector<Observer>& observers, const std::function<void(std::int64_t)>& progress) {
  const SetRequest request{
      .name = folder.filename().string(), .key = key, .normalization = normalization, .open = open};
  const fs::path parent = folder.parent_path();
  return FeatureCache(parent.empty() ? "." : parent).ensure(request, network, observers, progress);
}

void write_head(const fs::path& folder, const HeadWeights& head) {
  write_tensor(folder / "head" / "weight.npy", head.weight);
  write_tensor(folder / "head" / "bias.npy", head.bias);
}

}  // namespace nearfar
