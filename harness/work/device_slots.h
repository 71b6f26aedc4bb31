#pragma once
/// Which devices a run's children compute on: one child at a time on each, or as many as a person asks for. Pure.
#include <cstdint>
#include <string>
#include <vector>

namespace nearfar {

/// What one child is given.
struct DeviceSlot {
  std::string name;     ///< as results say it: "cpu", "cuda", "cuda:1"
  std::string device;   ///< as the engine is told: "cpu" or "cuda"
  std::string visible;  ///< CUDA_VISIBLE_DEVICES of the child; "" = as it is
};

/// `device`: of an experiment: "cpu", "cuda", "cuda:1" or "cuda:all". `count`: usable devices of this machine, and
/// `visible` the CUDA_VISIBLE_DEVICES that they are counted by ("" = not set). Error(config) for one that is not there.
std::vector<DeviceSlot> device_slots(const std::string& device, std::int64_t count, const std::string& visible);

}  // namespace nearfar
