#include "work/device_slots.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <cstdlib>

namespace nearfar {

std::vector<DeviceSlot> device_slots(const std::string& device, std::int64_t count, const std::string& visible) {
  const std::size_t colon = device.find(':');
  if (colon == std::string::npos) return {{device, device, ""}};
  const std::string kind = device.substr(0, colon), which = device.substr(colon + 1);
  const std::vector<std::string> names = visible.empty() ? std::vector<std::string>{} : split(visible, ',');
  const auto slot = [&](std::int64_t index) {
    const auto place = static_cast<std::size_t>(index);
    const std::string named = place < names.size() ? std::string(trim(names[place])) : std::to_string(index);
    return DeviceSlot{fmt::format("{}:{}", kind, index), kind, named};
  };
  if (which == "all") {
    std::vector<DeviceSlot> all;
    for (std::int64_t i = 0; i < count; ++i) all.push_back(slot(i));
    return all;
  }
  const std::int64_t index = std::strtoll(which.c_str(), nullptr, 10);
  if (index >= count) {
    throw Error(ErrorKind::config,
                fmt::format("device '{}' is not usable here: there {} {} ({}:0{})", device, count == 1 ? "is" : "are",
                            count, kind, count > 1 ? fmt::format(" to {}:{}", kind, count - 1) : ""));
  }
  return {slot(index)};
}

}  // namespace nearfar
