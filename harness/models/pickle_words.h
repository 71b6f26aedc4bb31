#pragma once
/// The globals that a pickled state dict may name, and words for messages. Internal to models/.
#include "models/pickle.h"

#include <optional>
#include <string>
#include <string_view>

namespace nearfar {

inline constexpr std::string_view kOrderedDict = "collections.OrderedDict",
                                  kParameter = "torch._utils._rebuild_parameter";
inline constexpr std::string_view kTensor2 = "torch._utils._rebuild_tensor_v2",
                                  kTensor3 = "torch._utils._rebuild_tensor_v3";
inline constexpr std::string_view kUntyped = "torch.storage.UntypedStorage";

/// The static copy of an allowed "module.name": those above, PyTorch's storages and dtypes of real numbers. nullopt:
/// refuse it.
std::optional<std::string_view> allowed_global(std::string_view name);
/// Of "torch.FloatStorage", and of "torch.float32".
std::optional<at::ScalarType> storage_type(std::string_view global);
std::optional<at::ScalarType> dtype_type(std::string_view global);

/// "NEWOBJ (0x81)": an opcode that a state dict does not use.
std::string opcode_text(unsigned code);

}  // namespace nearfar
