#pragma once
/// Ranks as threads of one process: each has a group of its own.
#include "train/ranks.h"

#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

namespace nearfar::testing {

/// Calls `work` on `size` ranks.
inline void on_ranks(int size, const std::function<void(RankGroup&)>& work) {
  // LibTorch's recorder of collectives is one of the process, and not safe with several groups in it.
  ::setenv("TORCH_FR_BUFFER_SIZE", "0", 1);
  RankGroup first({.rank = 0, .size = size});
  std::vector<std::thread> others;
  for (int rank = 1; rank < size; ++rank) {
    others.emplace_back([&, rank] {
      RankGroup group({.rank = rank, .size = size, .port = first.port()});
      group.join();
      work(group);
    });
  }
  first.join();
  work(first);
  for (std::thread& other : others) other.join();
}

}  // namespace nearfar::testing
