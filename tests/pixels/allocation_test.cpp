/// Counts what this program takes from the heap by new; C libraries keep their own books.
#include "pixels_files.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {
thread_local std::size_t allocations = 0;
}

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace nearfar {
namespace {

TEST(ImagePipeline, TakesNothingFromTheHeapOnceWarm) {
  const auto preprocess = testing::shorter_side(32, 32, 32);
  const std::vector<testing::Bytes> files{encode_png(testing::synthetic(32, 32)),
                                          encode_png(testing::synthetic(60, 200)),
                                          encode_jpeg(testing::synthetic(80, 50), 90)};
  ImagePipeline pipeline(preprocess);
  testing::Bytes out(32 * 32 * 3);
  for (const auto& file : files) pipeline.run(file, out);
  const std::size_t before = allocations;
  for (int i = 0; i < 5; ++i) {
    for (const auto& file : files) pipeline.run(file, out);
  }
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace nearfar
