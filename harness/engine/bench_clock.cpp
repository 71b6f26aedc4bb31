#include "engine/bench_clock.h"

#include "base/error.h"
#include "base/stopwatch.h"
#include "device/device.h"
#include "engine/messages.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string_view>

namespace nearfar {
namespace {

// Long enough that the clock and the call around the call (some 100 ns) are nothing beside it.
constexpr double kSampleSeconds = 0.01;
constexpr double kMostCalls = 1000;

/// "VmRSS:" or "VmHWM:" of /proc/self/status. nullopt where the system has none.
std::optional<std::int64_t> resident(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::int64_t kilobytes = 0;
    if (word == key && status >> kilobytes) return kilobytes * 1024;
  }
  return std::nullopt;
}

/// The high-water mark begins anew at what is resident now (Linux, proc_pid_clear_refs(5)). False: it cannot.
bool reset_high_water() {
  std::ofstream file("/proc/self/clear_refs");
  return static_cast<bool>(file << "5" << std::flush);
}

}  // namespace

double BenchClock::seconds_of(const BenchWork& work) const {
  if (work.prepare) work.prepare();
  const Stopwatch watch;
  work.run();
  wait_for(device_);
  return watch.seconds();
}

wire::BenchSamples BenchClock::warmed_up(const BenchWork& work) const {
  seconds_of(work);
  const double once = seconds_of(work);
  return {.calls = static_cast<std::int64_t>(std::clamp(std::ceil(kSampleSeconds / once), 1.0, kMostCalls))};
}

void BenchClock::sample(const BenchWork& work, wire::BenchSamples& samples) const {
  if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between samples");
  send_alive();
  double seconds = 0;
  for (std::int64_t call = 0; call < samples.calls; ++call) seconds += seconds_of(work);
  samples.seconds.push_back(seconds / static_cast<double>(samples.calls));
}

std::optional<std::int64_t> BenchClock::peak_of(const BenchWork& work) const {
  if (work.prepare) work.prepare();
  if (!device_.is_cpu()) {
    auto* allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device_.type()));
    if (allocator == nullptr) return std::nullopt;
    const c10::DeviceIndex index = std::max<c10::DeviceIndex>(device_.index(), 0);
    constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    wait_for(device_);
    allocator->resetPeakStats(index);
    const std::int64_t before = allocator->getDeviceStats(index).allocated_bytes[kAll].current;
    work.run();
    wait_for(device_);
    return std::max<std::int64_t>(0, allocator->getDeviceStats(index).allocated_bytes[kAll].peak - before);
  }
  ::malloc_trim(0);  // what was freed before must not be used again without being seen
  if (!reset_high_water()) return std::nullopt;
  const std::optional<std::int64_t> before = resident("VmRSS:");
  work.run();
  const std::optional<std::int64_t> peak = resident("VmHWM:");
  if (!before || !peak) return std::nullopt;
  return std::max<std::int64_t>(0, *peak - *before);
}

wire::BenchMeasure BenchClock::measure(const std::string& name, std::int64_t rows, const BenchWork& subject,
                                       const BenchWork& reference) const {
  wire::BenchMeasure measure{.name = name, .rows = rows};
  if (subject.run) measure.subject = warmed_up(subject);
  if (reference.run) measure.reference = warmed_up(reference);
  for (std::int64_t i = 0; i < repeat_; ++i) {
    if (i % 2 == 1 && measure.reference) sample(reference, *measure.reference);
    if (measure.subject) sample(subject, *measure.subject);
    if (i % 2 == 0 && measure.reference) sample(reference, *measure.reference);
  }
  if (measure.subject) measure.subject->peak_bytes = peak_of(subject);
  if (measure.reference) measure.reference->peak_bytes = peak_of(reference);
  return measure;
}

}  // namespace nearfar
