#pragma once
/// What a GPU has to prove, against the CPU of the same machine: one JSON line a check. Any device module will do, so
/// the fake device of the tests rehearses it.
#include "step_bench.h"

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace nearfar::gpu_check {

struct Options {
  at::Device device = at::kCPU;
  std::filesystem::path plugins;  ///< folder of our plugins
  std::filesystem::path scratch;  ///< an empty folder
  bool only_images = false;       ///< for a memory checker: our kernels alone
  bool rehearsal = false;         ///< on the fake device: small, without throughputs, and equal to the CPU to the bit
};

/// Runs `body`, which adds numbers to its line and says whether they are good; an exception is a failure with its text.
void check(const std::string& name, const std::function<bool(nlohmann::json&)>& body);
int failures();

/// Largest |a - b| over the largest |a|, in float64 on the host.
double difference(const at::Tensor& a, const at::Tensor& b);
/// |a - b| over |a|, Euclidean.
double distance(const at::Tensor& a, const at::Tensor& b);

void check_networks(const Options& options);
void check_methods(const Options& options);
void check_training(const Options& options);
void measure_throughput(const Options& options);

}  // namespace nearfar::gpu_check
