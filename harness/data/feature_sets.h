#pragma once
/// Which image sets a model's feature folder holds (features/folder.h says how such a folder looks). One list for the
/// plan, which is torch-free, and for the engine that reads them. Torch-free.
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

/// train, val, test, ood_val (those there are), then near/…, far/…, csid/…, control/…, each by name. A set is a folder
/// with features.npy or logits.npy: labels alone are nothing to score. Hidden names are never sets; they are what
/// somebody is writing at this moment. Error(data) if a folder is there but cannot be listed: a set is never silently
/// left out.
std::vector<std::string> feature_folder_sets(const std::filesystem::path& folder);

}  // namespace nearfar
