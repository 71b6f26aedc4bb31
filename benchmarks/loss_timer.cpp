// Our side of benchmarks/peers/contrastive_ratio.py: a loss plugin, loaded as a run does, on one batch of files. One
// command a line on stdin, one answer a line on stdout:
//   step       forward and backward: wall seconds and processor seconds (of all threads)
//   save FILE  a step whose gradient is written as float32 .npy; answers the value
//   peak       most bytes that the process has had in memory
// Usage: loss_timer PLUGIN.so EMBEDDINGS.npy LABELS.npy; threads by OMP_NUM_THREADS.
#include "base/error.h"
#include "base/npy.h"
#include "base/stopwatch.h"
#include "host/call.h"

#include <ATen/ops/from_blob.h>

#include <array>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>

namespace {
using namespace nearfar;

template <class T>
at::Tensor read(const char* file, std::size_t dimensions, at::ScalarType type) {
  const NpyArray array(file);
  const auto values = array.values<T>(dimensions);
  return at::from_blob(const_cast<T*>(values.data()), array.shape(), at::TensorOptions(type)).clone();
}

class Timer {
 public:
  Timer(const char* plugin, const char* embeddings, const char* labels)
      : loss_(load_plugin(plugin), {}, "loss_timer"),
        embeddings_(read<float>(embeddings, 2, at::kFloat).set_requires_grad(true)),
        labels_(read<std::int64_t>(labels, 1, at::kLong)) {}

  /// The value; the gradient is then that of the embeddings.
  at::Tensor step() {
    embeddings_.mutable_grad().reset();
    at::Tensor value = loss_.forward({embeddings_, labels_});
    value.backward();
    return value;
  }

  void save(const std::string& file) {
    const double value = step().item<double>();
    const at::Tensor gradient = embeddings_.grad().contiguous();
    const std::array<std::int64_t, 2> shape{gradient.size(0), gradient.size(1)};
    write_npy<float>(
        file, shape,
        std::span<const float>(gradient.const_data_ptr<float>(), static_cast<std::size_t>(gradient.numel())));
    std::cout << std::setprecision(17) << value << std::endl;
  }

 private:
  LossHandle loss_;
  at::Tensor embeddings_, labels_;
};

/// Of this program alone: getrusage() would begin with what its parent had.
std::int64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::int64_t kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  }
  throw Error(ErrorKind::internal, "/proc/self/status has no VmHWM");
}

void serve(Timer& timer) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, file;
    words >> command >> file;
    if (command == "step") {
      const Stopwatch watch;
      const std::clock_t before = std::clock();
      timer.step();
      const std::clock_t after = std::clock();
      std::cout << watch.seconds() << " " << static_cast<double>(after - before) / CLOCKS_PER_SEC << std::endl;
    } else if (command == "save") {
      timer.save(file);
    } else if (command == "peak") {
      std::cout << peak_bytes() << std::endl;
    } else {
      throw Error(ErrorKind::config, "'" + line + "': expected step, save FILE or peak");
    }
  }
}

}  // namespace

int main(int count, char** words) {
  try {
    if (count != 4) throw Error(ErrorKind::config, "usage: loss_timer PLUGIN.so EMBEDDINGS.npy LABELS.npy");
    Timer timer(words[1], words[2], words[3]);
    serve(timer);
  } catch (const std::exception& error) {
    std::cerr << "loss_timer: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
