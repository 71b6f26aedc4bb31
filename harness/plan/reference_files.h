#pragma once
/// Where outputs of Python lie that a network made there is compared with. Pure but for looking whether files are
/// there.
#include <filesystem>

namespace nearfar {

/// Of the largest stored logit: another processor, another number of threads and another order of sums change the last
/// places, a wrong network much more.
inline constexpr double kReferenceTolerance = 1e-4;

struct ReferenceFiles {
  std::filesystem::path inputs = {}, logits = {};  ///< both or none
};

/// FILE.reference.inputs.npy and FILE.reference.logits.npy. Error(data) if only one of them is there.
ReferenceFiles reference_files(const std::filesystem::path& file);

}  // namespace nearfar
