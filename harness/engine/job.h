#pragma once
/// What the jobs of the verbs share: the images, the plugins, the threads.
#include "data/image_set.h"
#include "data/image_stream.h"
#include "data/train_stream.h"
#include "features/extract.h"
#include "host/plugin.h"
#include "models/images.h"
#include "wire/jobs.h"
#include "wire/messages.h"

#include <memory>
#include <string>
#include <vector>

namespace nearfar {

/// Threads, determinism and device, once and before anything else touches LibTorch; returns where to compute.
/// Error(config) for a device that cannot be used.
at::Device prepare_torch(const wire::Compute& compute);

/// `directories` are InspectJob's.
PluginSearch plugin_search(const std::vector<std::string>& directories, const std::string& installed);

/// The plugin that the plan saw: Error(plugin) if the library has other sources by now.
LoadedPlugin load_planned(const wire::Plugin& plugin);

/// A file that a cell leaves behind, by its path beneath `out`.
wire::Artifact artifact(const std::string& name, const std::filesystem::path& out, const std::filesystem::path& file);

/// The images of a job's benchmark. Sets are decoded when asked for; sets other than the plan's (files of other sizes,
/// changed lists), and a benchmark file that says other things than it did, are Error(data).
class JobImages {
 public:
  /// `device`: images of a slab are as many as it computes with at once.
  JobImages(const wire::Images& images, int threads, at::Device device);
  /// Whole, in memory: for training.
  std::vector<ImageSet> load(const std::vector<wire::SetRef>& sets) const;
  /// Slab by slab: for features. `slab_images` 0: as many as the device computes with at once.
  std::unique_ptr<ImageStream> open(const wire::SetRef& set, std::int64_t slab_images = 0) const;
  /// Its images come from files, one by one: it can be streamed for training.
  bool is_listed(const wire::SetRef& set) const;
  /// Without its images.
  SetInfo describe(const wire::SetRef& set) const;
  /// Augmented, batch by batch.
  std::unique_ptr<TrainStream> open_training(const wire::SetRef& set, TrainStreamOptions options) const;
  Normalization normalization() const { return {benchmark_.mean, benchmark_.std}; }
  /// What the feature cache's key says of the pixels.
  std::string preprocess() const;
  /// Borrows from `set`.
  ImageView view(const ImageSet& set) const;
  std::int64_t height() const { return benchmark_.height; }
  std::int64_t width() const { return benchmark_.width; }
  std::int64_t channels() const { return benchmark_.channels; }
  std::int64_t classes() const { return static_cast<std::int64_t>(benchmark_.classes.size()); }

 private:
  void check_planned(const wire::SetRef& planned, const std::string& found) const;
  Benchmark benchmark_;
  LoadOptions options_;
  at::Device device_;
};

}  // namespace nearfar
