/// An engine for tests of sharing: trains and evaluates nothing, says at once what an engine would say, and leaves the
/// files that it would leave. Every other question goes to the real one. NEARFAR_FAKE_MS: how long a job takes, so that
/// there is something to be killed in.
#include "work/fakes.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <thread>

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb != "train" && verb != "eval") {
    ::unsetenv("NEARFAR_ENGINE");
    const std::string real = std::string(NEARFAR_REAL_ENGINE);
    ::execv(real.c_str(), argv);
    return 127;
  }
  const std::string job{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  nearfar::testing::FakeLauncher launcher;
  const auto process = launcher.launch({.verb = verb, .job = job});
  const char* milliseconds = std::getenv("NEARFAR_FAKE_MS");
  const std::chrono::milliseconds pause(milliseconds != nullptr ? std::atoi(milliseconds) : 0);
  for (std::string line : process->read_lines()) {
    std::this_thread::sleep_for(pause);
    line += '\n';
    if (::write(3, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 1;
  }
  return 0;
}
