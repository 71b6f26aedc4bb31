#pragma once
/// How a run's children share the processors of the machine. Pure.
#include "plan/plan.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace nearfar {

struct Shares {
  std::size_t jobs = 1;             ///< children at a time
  std::int64_t loader_threads = 1;  ///< of each, that read and decode images
  std::string crowded = {};  ///< not empty: what was asked for needs more processors than there are, and what to do
};

/// A child's threads are what run.threads says, 1 if it says nothing, whatever `jobs` is: another number of threads
/// means other low bits, and how many children run must change no result. So jobs follow from threads: as many children
/// as there are processors for them (on devices: one on each of `devices`). Loaders of a child with a GPU share what
/// `processors` there are.
Shares shares_of(const Experiment& experiment, std::size_t devices, std::size_t processors);

}  // namespace nearfar
