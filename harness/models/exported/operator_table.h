#pragma once
/// Names of operators: the table of those that an exported program may use. Pure functions; no torch.
#include <string_view>

namespace nearfar::exported {

/// "conv2d" of "torch.ops.aten.conv2d.default"; "" of what is not aten's.
std::string_view aten_name(std::string_view target);
/// "relu" of "relu_" and of "relu".
std::string_view functional_name(std::string_view name);
/// In the table, itself or as an in-place form?
bool allowed_name(std::string_view name);
/// May its result be what went in, although its schema does not say so?
bool silent_alias(std::string_view name);

}  // namespace nearfar::exported
