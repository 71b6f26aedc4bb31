#pragma once
/// Which network a set of tensors is: every mapping, with each of its architectures, on every view of the names.
/// Internal to models/. Pure functions.
#include "models/mapping.h"
#include "models/mismatch.h"
#include "models/network.h"

#include <cstddef>
#include <string>
#include <vector>

namespace nearfar {

/// One mapping applied to one view of the names, for one architecture.
struct Fit {
  const Mapping* mapping = nullptr;
  NetworkSpec spec = {};    ///< classes and head found from the shapes; the size is the architecture's own
  std::string prefix = {};  ///< taken off all names
  std::vector<NamedTensor> tensors = {};  ///< under our names, in the order of the file, as the file has them
  std::vector<std::string> ignored = {};  ///< names in the file that are not needed
  Mismatch mismatch = {};
  std::size_t matched = 0;   ///< tensors of the network that are there in the right shape
  bool native_size = false;  ///< the images have the size the architecture was made for

  bool exact() const { return mismatch.count() == 0; }
  /// Shared tensors over all tensors of the two, 0 to 1: a small network is not nearer for being small.
  double similarity() const;
};

struct FitOptions {
  std::string architecture = {};  ///< "" = any
  std::int64_t height = 0, width = 0, in_channels = 3;
};

/// The best: an exact one, at the size of the images if one is, or the most similar. nullopt: no mapping is for
/// this architecture. `mappings` outlives the result.
std::optional<Fit> best_fit(const std::vector<Mapping>& mappings, const std::vector<NamedTensor>& tensors,
                            const FitOptions& options);

/// The tensors of an exact fit in the network's order and types, so that the same weights give the same bytes whatever
/// order a file has. Those that may be absent start at 0.
std::vector<NamedTensor> fitted_tensors(const Fit& fit);

}  // namespace nearfar
