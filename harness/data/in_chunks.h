#pragma once
/// One loop over very many small things, on several threads. Header only, std only.
#include <algorithm>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace nearfar {

/// Calls work(first, last) for chunks that together are 0 … count-1, at once on as many threads as there are cores (at
/// most 8); on this one alone where the whole is small. What the earliest chunk throws is thrown here.
template <class Work>
void in_chunks(std::int64_t count, const Work& work) {
  constexpr std::int64_t kWorthAThread = 16'384;
  const std::int64_t cores = std::max<std::int64_t>(1, std::thread::hardware_concurrency());
  const std::int64_t threads = std::clamp<std::int64_t>(count / kWorthAThread, 1, std::min<std::int64_t>(cores, 8));
  if (threads == 1) return work(std::int64_t{0}, count);
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> running;
    for (std::int64_t i = 0; i < threads; ++i) {
      running.emplace_back([&, i] {
        try {
          work(count * i / threads, count * (i + 1) / threads);
        } catch (...) {
          thrown[static_cast<std::size_t>(i)] = std::current_exception();
        }
      });
    }
  }
  for (const std::exception_ptr& one : thrown) {
    if (one) std::rethrow_exception(one);
  }
}

}  // namespace nearfar
