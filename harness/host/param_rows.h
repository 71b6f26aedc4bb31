#pragma once
/// Rows of a plugin's parameter table (nearfar/params.h), as its descriptor or its note has them, and the host's copy.
/// Torch-free; pure functions, safe from any thread.
#include "host/params.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace nearfar {

inline constexpr std::size_t kMostParams = 256;

/// Lower-case words of letters and digits with `joint` between them: "temp-scaling", "noise_level".
bool spelled_in_words(std::string_view name, char joint);

/// What is wrong with one row, or "". A null text is an empty one.
std::string param_row_fault(const Param& row);

/// The host's copy of a row without fault.
ParamSpec param_spec(const Param& row);

}  // namespace nearfar
