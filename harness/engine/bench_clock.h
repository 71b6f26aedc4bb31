#pragma once
/// Times two things in turn, so that whatever else the machine does falls on both. One thread.
#include "wire/bench.h"

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace nearfar {

/// What is timed. Without `run` there is nothing to time.
struct BenchWork {
  std::function<void()> prepare = {};  ///< before every call, not timed; may be empty
  std::function<void()> run = {};
};

class BenchClock {
 public:
  /// `repeat` pairs of samples on `device`, at least one.
  BenchClock(std::int64_t repeat, c10::Device device) : repeat_(repeat), device_(device) {}

  /// Subject and reference are called once to warm up and once to see how long that takes; then sample by sample in
  /// turn, each first every other time. A sample is one call, or, of calls that take less than 10 ms, the mean of
  /// several. Last a call each for the memory. What has ended on a device counts, not what was enqueued.
  /// Error(interrupted) between samples where the engine is told to stop.
  wire::BenchMeasure measure(const std::string& name, std::int64_t rows, const BenchWork& subject,
                             const BenchWork& reference) const;

 private:
  double seconds_of(const BenchWork& work) const;
  wire::BenchSamples warmed_up(const BenchWork& work) const;
  void sample(const BenchWork& work, wire::BenchSamples& samples) const;
  std::optional<std::int64_t> peak_of(const BenchWork& work) const;

  std::int64_t repeat_;
  c10::Device device_;
};

}  // namespace nearfar
