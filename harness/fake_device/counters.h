#pragma once
/// What has happened on the fake device, and whether waiting is allowed.
#include "fake_device/fake_device.h"

namespace nearfar::fake {

void count_to_device(std::int64_t bytes);
void count_to_host(std::int64_t bytes);
void count_kernel(const std::string& name);
void count_wait(const std::string& what);
bool waits_forbidden();

}  // namespace nearfar::fake
