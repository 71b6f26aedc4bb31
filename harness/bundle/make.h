#pragma once
/// Makes a bundle: results of a database with their evidence, as one file that others can check (verify.h). Safe from
/// any thread.
#include "bundle/manifest.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

struct BundleRequest {
  std::filesystem::path database = {}, target = {};
  std::vector<std::string> evaluations = {};  ///< keys of eval cells that are ok
  std::string experiment = {};                ///< only configs of this one come along; "" = all that have the cells
  std::string title = {}, author = {}, url = {};
  bool checkpoints = false;
};

struct MadeBundle {
  BundleManifest manifest = {};
  std::uint64_t bytes = 0;  ///< of the archive
};

/// The same request of the same results gives the same bytes. Error(data) where a score file is missing or not the one
/// that the run wrote: a bundle without its evidence is worth nothing. Error(config), Error(store) as store/extract.h.
MadeBundle make_bundle(const BundleRequest& request);

}  // namespace nearfar
