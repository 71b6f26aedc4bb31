#include "base/error.h"
#include "cli/verbs.h"
#include "run/child.h"
#include "run/locations.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <thread>

namespace nearfar {

int score_verb(const ScoreArguments& arguments) {
  namespace fs = std::filesystem;
  const int threads =
      arguments.threads > 0 ? arguments.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  nlohmann::json job{{"name", arguments.name},
                     {"directories", nlohmann::json::array()},
                     {"installed", installed_plugins().string()},
                     {"features", fs::absolute(arguments.features).string()},
                     {"set", arguments.set},
                     {"assignments", arguments.assignments},
                     {"output", fs::absolute(arguments.output).string()},
                     {"device", arguments.device},
                     {"threads", threads}};
  for (const auto& directory : arguments.plugin_dirs) job["directories"].push_back(fs::absolute(directory).string());
  const auto document = nlohmann::json::parse(run_engine("score", job.dump(), threads));
  if (arguments.json) {
    fmt::print("{}\n", document.dump());
  } else {
    fmt::print("{} scores of {} in {}; fit {:.2f} s, score {:.2f} s; {}\n", document.at("count").get<std::int64_t>(),
               arguments.set, arguments.output.string(), document.at("seconds_fit").get<double>(),
               document.at("seconds_score").get<double>(), document.at("params").get<std::string>());
  }
  return 0;
}

}  // namespace nearfar
