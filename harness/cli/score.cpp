#include "base/error.h"
#include "base/locations.h"
#include "cli/plugin_folders.h"
#include "cli/verbs.h"
#include "work/engine_client.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <thread>

namespace nearfar {

int score_verb(const ScoreArguments& arguments) {
  namespace fs = std::filesystem;
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  wire::ScoreJob job{
      .name = arguments.name,
      .directories = {},
      .installed = installed_plugins().string(),
      .features = fs::absolute(arguments.features).string(),
      .set = arguments.set,
      .assignments = arguments.assignments,
      .output = fs::absolute(arguments.output).string(),
      .compute = {.device = arguments.device, .threads = arguments.threads > 0 ? arguments.threads : cores}};
  for (const auto& directory : plugin_folders(arguments.plugin_dirs, {}))
    job.directories.push_back(fs::absolute(directory).string());
  const wire::ScoreFacts facts = engine_score(job);
  if (arguments.json) {
    fmt::print("{}\n", wire::to_json(facts).dump());
  } else {
    fmt::print("{} scores of {} in {}; fit {:.2f} s, score {:.2f} s; {}\n", facts.count, arguments.set,
               arguments.output.string(), facts.seconds_fit, facts.seconds_score, facts.params);
  }
  return 0;
}

}  // namespace nearfar
