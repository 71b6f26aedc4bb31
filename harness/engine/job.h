#pragma once
/// What the jobs of the verbs share: the images, the plugins, the threads.
#include "data/image_set.h"
#include "host/plugin.h"
#include "models/images.h"

#include <nearfar/params.h>
#include <nlohmann/json.hpp>

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

/// The images of a job's benchmark. Sets are decoded when asked for; contents other than the plan's are Error(data).
class JobImages {
 public:
  explicit JobImages(const nlohmann::json& job);
  std::vector<ImageSet> load(const std::vector<PlannedSet>& sets) const;
  /// Borrows from `set`.
  ImageView view(const ImageSet& set) const;
  std::int64_t classes() const { return static_cast<std::int64_t>(benchmark_.classes.size()); }

 private:
  Benchmark benchmark_;
  LoadOptions options_;
};

}  // namespace nearfar
