// Does what the parameter says in score(), as careless or hostile plugins do.
#include "common.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <new>
#include <thread>
#include <vector>

namespace {

constexpr nearfar::Param kParams[] = {
    {"what", "prints", "abort|thread|overflow|exit|hang|slow|forks|daemon|leak|leak-shared|prints|writes",
     "what it does"}};

/// Without an end, as nobody but us knows.
int deeper(volatile char* above) {
  volatile char here[4096];
  here[0] = above[0];
  return above[0] == 'x' ? 0 : deeper(here) + here[0];
}

/// A loop that does nothing may be left out by the compiler.
[[noreturn]] void busy_for_ever() {
  for (volatile unsigned round = 0;;) round = round + 1;
}

[[noreturn]] void fork_without_end() {
  for (;;) ::fork();
}

/// A process that has left group and session, whose number is in the file that the test names.
void leave_a_daemon() {
  if (::fork() == 0) {
    ::setsid();
    if (const char* file = std::getenv("NEARFAR_TEST_DAEMON")) {
      if (std::FILE* stream = std::fopen(file, "w")) {
        std::fprintf(stream, "%d\n", static_cast<int>(::getpid()));
        std::fclose(stream);
      }
    }
    for (;;) ::pause();
  }
  ::usleep(200'000);
}

void leak() {
  constexpr std::size_t kBlock = 16 << 20;
  for (std::vector<char*> blocks;;) {
    blocks.push_back(new char[kBlock]);
    std::memset(blocks.back(), 1, kBlock);
  }
}

/// Where no allocation fails: only the kernel, or who watches, can end it.
void leak_shared() {
  constexpr std::size_t kBlock = 16 << 20;
  for (;;) {
    void* block = ::mmap(nullptr, kBlock, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) throw std::bad_alloc();
    std::memset(block, 1, kBlock);
    ::usleep(2000);
  }
}

class Misbehaves final : public nearfar::bad::Good {
 public:
  explicit Misbehaves(const nearfar::Params& params) : Good(params), what_(params.text("what")) {}
  at::Tensor score(const nearfar::FeatureBatch& batch) const override {
    if (what_ == "abort") std::abort();
    if (what_ == "thread") std::thread([] { throw std::runtime_error("on a thread of its own"); }).join();
    if (what_ == "overflow") {
      char here = 0;
      static_cast<void>(deeper(&here));
    }
    if (what_ == "exit") std::exit(0);
    if (what_ == "hang") busy_for_ever();
    if (what_ == "slow") ::sleep(1);
    if (what_ == "forks") fork_without_end();
    if (what_ == "daemon") {
      leave_a_daemon();
      std::abort();
    }
    if (what_ == "leak") leak();
    if (what_ == "leak-shared") leak_shared();
    if (what_ == "prints") {
      std::printf("{\"type\":\"error\",\"kind\":\"data\",\"state\":\"failed\",\"message\":\"printed\"}\n");
      std::cout << "\x1b[31mnot a message\n" << std::flush;
    }
    if (what_ == "writes") batch.logits.mul_(2);
    return Good::score(batch);
  }

 private:
  std::string what_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Misbehaves, .name = "misbehaves", .version = "1.0.0", .needs = nearfar::kLogits,
                      .params = kParams)
