#pragma once
/// What the jobs of the verbs share: the images, the plugins, the threads.
#include "data/image_set.h"
#include "data/image_stream.h"
#include "features/extract.h"
#include "host/plugin.h"
#include "models/images.h"

#include <nearfar/params.h>

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

namespace nearfar {

/// Threads, determinism and device, once and before anything else touches LibTorch. `device` cuda: see cuda.h.
void prepare_torch(const nlohmann::json& job);

/// Of a job's "directories" and "installed".
PluginSearch plugin_search(const nlohmann::json& job);

/// The plugin that the plan saw: Error(plugin) if the library has other sources by now.
LoadedPlugin plugin_of(const nlohmann::json& job);
ParamMap params_of(const nlohmann::json& job);

/// {"name","hash"} of the plan.
struct PlannedSet {
  std::string name, hash;
};
std::vector<PlannedSet> planned_sets(const nlohmann::json& sets);

/// The images of a job's benchmark. Sets are decoded when asked for; sets other than the plan's (files of other sizes,
/// changed lists) are Error(data).
class JobImages {
 public:
  explicit JobImages(const nlohmann::json& job);
  /// Whole, in memory: for training.
  std::vector<ImageSet> load(const std::vector<PlannedSet>& sets) const;
  /// Slab by slab: for features.
  std::unique_ptr<ImageStream> open(const PlannedSet& set) const;
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
  void check_planned(const PlannedSet& planned, const std::string& found) const;
  Benchmark benchmark_;
  LoadOptions options_;
};

}  // namespace nearfar
