#include "engine/job.h"

#include "base/error.h"
#include "base/hash.h"
#include "data/benchmark.h"
#include "device/device.h"
#include "engine/messages.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {
// Also the batch of the network: large enough for convolutions to run at full speed, small enough at 224 pixels.
constexpr std::int64_t kSlabImages = 64;
// On a device: what keeps it busy, where a quarter of its free memory is enough for it. Evaluation takes up to about
// 2.5 KB a pixel (WRN-28-10).
constexpr std::int64_t kBytesPerPixel = 2560;

std::int64_t busy_images(at::Device device, std::int64_t area) {
  if (device.is_cpu()) return kSlabImages;
  const std::int64_t most = std::max(kSlabImages, device_facts(device).busy_images);
  return std::clamp(device_memory(device).free / 4 / (area * kBytesPerPixel), kSlabImages, most);
}
}  // namespace

at::Device prepare_torch(const wire::Compute& compute) {
  const at::Device device = open_device(compute.device);
  at::set_num_threads(static_cast<int>(compute.threads));
  at::set_num_interop_threads(1);
  make_deterministic(compute.deterministic);
  return device;
}

PluginSearch plugin_search(const std::vector<std::string>& directories, const std::string& installed) {
  return {.directories = {directories.begin(), directories.end()}, .environment = true, .installed = installed};
}

LoadedPlugin load_planned(const wire::Plugin& plugin) {
  LoadedPlugin loaded = load_plugin(plugin.path);
  if (loaded.description().source_hash != plugin.source_hash) {
    throw Error(
        ErrorKind::plugin,
        fmt::format("{}: was rebuilt from other sources since the plan was made (found {}, planned {}); run the "
                    "same command again",
                    loaded.label(), loaded.description().source_hash, plugin.source_hash));
  }
  return loaded;
}

wire::Artifact artifact(const std::string& name, const std::filesystem::path& out, const std::filesystem::path& file) {
  return {name, std::filesystem::relative(file, out).string(), sha256_file(file),
          static_cast<std::int64_t>(std::filesystem::file_size(file))};
}

JobImages::JobImages(const wire::Images& images, int threads, at::Device device)
    : benchmark_(load_benchmark(images.benchmark, {})), device_(device) {
  options_ = {.data_root = images.root,
              .limit = images.limit,
              .allow_count_mismatch = images.allow_count_mismatch,
              .on_unreadable = images.on_unreadable == "skip" ? OnUnreadable::skip : OnUnreadable::fail,
              .follow_links = images.follow_links,
              .packed = images.packed,
              .threads = threads,
              .identity = images.data_identity == "stat" ? DataIdentity::stat : DataIdentity::contents,
              .reading = [](std::string_view, std::int64_t, std::int64_t) {
                send_alive();
                return !stop_requested();
              }};
  if (benchmark_identity(benchmark_) != images.identity) {
    throw Error(
        ErrorKind::data,
        fmt::format("{}: what it says of images, classes or protocols has changed since the plan was made; run the "
                    "same command again",
                    images.benchmark));
  }
}

void JobImages::check_planned(const wire::SetRef& planned, const std::string& found) const {
  if (found == planned.hash) return;
  throw Error(ErrorKind::data, fmt::format("image set '{}' of {}: contents have changed since the plan was made (found "
                                           "{}, planned {}); run the same command again",
                                           planned.name, benchmark_.file.string(), found, planned.hash));
}

std::vector<ImageSet> JobImages::load(const std::vector<wire::SetRef>& sets) const {
  std::vector<std::string> names;
  for (const wire::SetRef& set : sets) names.push_back(set.name);
  std::vector<ImageSet> loaded = load_sets(benchmark_, names, options_);
  for (std::size_t i = 0; i < sets.size(); ++i) check_planned(sets[i], loaded[i].hash);
  return loaded;
}

bool JobImages::is_listed(const wire::SetRef& set) const {
  return nearfar::is_listed(benchmark_.source(benchmark_.set(set.name).source));
}

SetInfo JobImages::describe(const wire::SetRef& set) const {
  SetInfo info = describe_set(benchmark_, set.name, options_);
  check_planned(set, info.hash);
  return info;
}

std::unique_ptr<TrainStream> JobImages::open_training(const wire::SetRef& set, TrainStreamOptions options) const {
  auto stream = std::make_unique<TrainStream>(benchmark_, set.name, options_, std::move(options));
  check_planned(set, stream->info().hash);
  return stream;
}

std::unique_ptr<ImageStream> JobImages::open(const wire::SetRef& set, std::int64_t slab_images) const {
  if (slab_images == 0) slab_images = busy_images(device_, height() * width());
  auto stream = open_stream(benchmark_, set.name, options_, slab_images);
  check_planned(set, stream->info().hash);
  return stream;
}

std::string JobImages::preprocess() const {
  return fmt::format("uint8-normalize-2 mean {} std {}", fmt::join(benchmark_.mean, " "),
                     fmt::join(benchmark_.std, " "));
}

ImageView JobImages::view(const ImageSet& set) const {
  return {.pixels = set.pixels,
          .labels = set.labels,
          .count = set.count,
          .channels = set.channels,
          .height = set.height,
          .width = set.width,
          .mean = benchmark_.mean,
          .std = benchmark_.std};
}

}  // namespace nearfar
