#pragma once
/// The globals that mean something in a pickled state dict, and words for messages. Internal to models/.
#include "models/pickle.h"

#include <optional>
#include <string>
#include <string_view>

namespace nearfar {

inline constexpr std::string_view kOrderedDict = "collections.OrderedDict", kDefaultDict = "collections.defaultdict";
inline constexpr std::string_view kParameter = "torch._utils._rebuild_parameter",
                                  kParameterState = "torch._utils._rebuild_parameter_with_state";
inline constexpr std::string_view kTensor2 = "torch._utils._rebuild_tensor_v2",
                                  kTensor3 = "torch._utils._rebuild_tensor_v3";
inline constexpr std::string_view kUntyped = "torch.storage.UntypedStorage";

/// The static copy of a "module.name" that means something: those above, PyTorch's storages and dtypes of real numbers.
std::optional<std::string_view> known_global(std::string_view name);
/// A global that no file of weights has a reason to name: it starts programs, runs text or opens files. Such a file is
/// refused as a whole. The list is a warning to people, not what keeps us safe: that is that nothing is ever called.
bool is_attack(std::string_view module, std::string_view name);
/// Of "torch.FloatStorage", and of "torch.float32".
std::optional<at::ScalarType> storage_type(std::string_view global);
std::optional<at::ScalarType> dtype_type(std::string_view global);

/// "NEWOBJ (0x81)": an opcode that a state dict does not use.
std::string opcode_text(unsigned code);

}  // namespace nearfar
