#pragma once
/// Private to report/plugin_bench*: how its numbers are written.
#include "report/plugin_bench.h"

#include <nlohmann/json_fwd.hpp>

namespace nearfar {

std::string seconds_text(double seconds);                         ///< "1.2 s", "3.45 ms", "67 us"
std::string peak_text(const std::optional<std::int64_t>& bytes);  ///< "12 MiB", "?"
std::string ratio_text(double ratio);                             ///< "1.023"
std::string machine_text(const BenchMachine& machine);            ///< one line
nlohmann::json ratio_json(const Ratio& ratio);                    ///< {"estimate","low","high","coverage"}

}  // namespace nearfar
