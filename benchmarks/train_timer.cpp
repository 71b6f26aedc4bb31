// Our side of benchmarks/peers/training_ratio.py: training steps of cross-entropy with a ResNet-18 on images of CIFAR's
// size, as a run does them. One command a line on stdin, one answer a line on stdout:
//   epoch      wall seconds and processor seconds (of all threads)
// Usage: train_timer PLUGIN_FOLDER BATCH STEPS DTYPE; threads by OMP_NUM_THREADS.
#include "base/error.h"
#include "base/stopwatch.h"
#include "step_bench.h"

#include <ctime>
#include <iostream>
#include <string>

int main(int count, char** words) {
  using namespace nearfar;
  try {
    if (count != 5) throw Error(ErrorKind::config, "usage: train_timer PLUGIN_FOLDER BATCH STEPS DTYPE");
    gpu_check::StepBench bench(words[1], at::kCPU, std::stoll(words[2]), words[4], false, std::stoll(words[3]));
    std::int64_t epoch = 0;
    for (std::string line; std::getline(std::cin, line);) {
      if (line != "epoch") throw Error(ErrorKind::config, "'" + line + "': expected epoch");
      const Stopwatch watch;
      const std::clock_t before = std::clock();
      bench.epoch(epoch++);
      const std::clock_t after = std::clock();
      std::cout << watch.seconds() << " " << static_cast<double>(after - before) / CLOCKS_PER_SEC << std::endl;
    }
  } catch (const std::exception& error) {
    std::cerr << "train_timer: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
