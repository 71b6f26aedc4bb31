#pragma once
/// `--sizes` of `nearfar plugin bench`. Pure functions.
#include "work/engine_client.h"

#include <string>
#include <vector>

namespace nearfar {

/// What `input` (wire::BenchFacts) is measured on by default.
std::vector<wire::BenchSize> default_bench_sizes(const std::string& input);

/// Each word is the name of a default size, or a shape, which is then its name: TRAINxWIDTHxCLASSES[xROWS] of features
/// (1000 rows), TRAINxROWS of images for methods that look inside a network, BATCHxWIDTHxCLASSES of a loss.
/// No words: the default sizes. Error(config) for another word, another number of numbers, a number below 1 or beyond
/// 10 million, more than 2^33 values in all, and for a size that stands twice.
std::vector<wire::BenchSize> bench_sizes(const std::string& input, const std::vector<std::string>& words);

}  // namespace nearfar
