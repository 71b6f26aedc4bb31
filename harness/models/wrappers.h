#pragma once
/// What training tools put around the names of a state dict: prefixes (`module.` of DataParallel, `_orig_mod.` of
/// torch.compile, `model.`, `net.`, `network.` of Lightning modules), and tensors of their own beside the network's.
/// Pure functions.
#include "models/named_tensor.h"

#include <string>
#include <vector>

namespace nearfar {

/// The tensors under shorter names.
struct NamesView {
  std::string prefix;  ///< that was taken off: "model.module."
  std::vector<NamedTensor> tensors;
  std::vector<std::string> left_out;  ///< full names of what the tools keep for themselves (criterion.*, n_averaged, …)
};

/// The tensors as they are, then with one prefix after the other taken off. A prefix goes only where every name has it
/// but those that tools keep for themselves; which of the views is right, fitting a network decides.
std::vector<NamesView> names_views(const std::vector<NamedTensor>& tensors);

}  // namespace nearfar
