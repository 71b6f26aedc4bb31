// gpu-check PLUGIN_DIR SCRATCH_DIR [--device cuda] [--rehearsal] [--images]: JSON lines on stdout; exit 1 if a check
// failed.
#include "checks.h"
#include "device/device.h"
#include "device/transfer.h"
#include "kernels/augment.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randint.h>
#include <c10/util/Exception.h>

#include <cstdio>
#include <string_view>

namespace nearfar::gpu_check {
namespace {
int failed = 0;
}

void check(const std::string& name, const std::function<bool(nlohmann::json&)>& body) {
  nlohmann::json line{{"check", name}};
  const double start = seconds_now();
  const auto fail = [&](const std::string& why) {
    line["ok"] = false;
    line["error"] = why.substr(0, why.find('\n'));
  };
  try {
    line["ok"] = body(line);
  } catch (const c10::Error& error) {
    fail(error.what_without_backtrace());
  } catch (const std::exception& error) {
    fail(error.what());
  }
  line["seconds"] = seconds_now() - start;
  if (!line["ok"].get<bool>()) ++failed;
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

int failures() { return failed; }

double difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.detach().cpu().to(at::kDouble), y = b.detach().cpu().to(at::kDouble);
  if (x.numel() == 0) return 0;
  return x.sub(y).abs().max().item<double>() / std::max(x.abs().max().item<double>(), 1e-12);
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.detach().cpu().to(at::kDouble), y = b.detach().cpu().to(at::kDouble);
  return x.sub(y).norm().item<double>() / std::max(x.norm().item<double>(), 1e-12);
}

namespace {

void check_images(const Options& options) {
  check("augmentation is the CPU's to the bit", [&](nlohmann::json& line) {
    const Pictures pictures(200, 3, 32, 10, 1);
    const at::Tensor pixels = pixel_tensor(pictures.view, 0, 200), rows = at::arange(0, 200, at::kLong).flip(0);
    const AugmentRecipe recipe{.views = 2, .shift = 4, .flip = true};
    const at::Tensor here = augment(pixels, rows, table_tensor(pictures.view, at::kCPU), recipe, 7, 3);
    const at::Tensor there = augment(upload(pixels, options.device), upload(rows, options.device),
                                     table_tensor(pictures.view, options.device), recipe, 7, 3);
    const auto differ = here.ne(there.cpu()).sum().item<std::int64_t>();
    line["pixels that differ"] = differ;
    return differ == 0;
  });
  check("the test transform is the CPU's to the bit", [&](nlohmann::json& line) {
    const Pictures pictures(64, 3, 33, 10, 2);
    const at::Tensor there = normalize(upload(pixel_tensor(pictures.view, 0, 64), options.device),
                                       table_tensor(pictures.view, options.device));
    const auto differ = test_batch(pictures.view, 0, 64).ne(there.cpu()).sum().item<std::int64_t>();
    line["pixels that differ"] = differ;
    return differ == 0;
  });
}

void check_copies(const Options& options) {
  check("copies through pinned memory arrive whole and in order", [&](nlohmann::json& line) {
    Uploader up(options.device);
    Downloader down(options.device);
    std::vector<std::int64_t> wrong;
    for (std::int64_t i = 0; i < 64; ++i) {
      const at::Tensor host = at::randint(0, 1 << 20, {1 + 4000 * i}, at::kLong);
      const at::Tensor doubled = up.send(host).mul(2);
      down.fetch({doubled}, [host, i, &wrong](const std::vector<at::Tensor>& found) {
        if (!found[0].equal(host.mul(2))) wrong.push_back(i);
      });
    }
    down.finish();
    line["wrong"] = wrong;
    return wrong.empty();
  });
}

int run(const Options& options) {
  check("device", [&](nlohmann::json& line) {
    line["what"] = probe_devices().reason;
    return !options.device.is_cpu();
  });
  check_images(options);
  if (options.only_images) return failures() == 0 ? 0 : 1;
  check_copies(options);
  check_networks(options);
  check_methods(options);
  check_training(options);
  if (!options.rehearsal) measure_throughput(options);
  check("memory", [&](nlohmann::json& line) {
    line["peak bytes"] = device_memory(options.device).peak;
    const Traffic all = traffic();
    line["copies to the device"] = all.to_device;
    line["copies to the host"] = all.to_host;
    return true;
  });
  check("all", [&](nlohmann::json& line) {
    line["failures"] = failures();
    return failures() == 0;
  });
  return failures() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace nearfar::gpu_check

int main(int count, char** arguments) {
  using namespace nearfar;
  gpu_check::Options options;
  std::string device = "cuda";
  std::vector<std::string> folders;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = arguments[i];
    if (word == "--rehearsal") {
      options.rehearsal = true;
    } else if (word == "--images") {
      options.only_images = true;
    } else if (word == "--device" && i + 1 < count) {
      device = arguments[++i];
    } else {
      folders.emplace_back(word);
    }
  }
  if (folders.size() != 2) {
    std::fprintf(stderr, "usage: gpu-check PLUGIN_DIR SCRATCH_DIR [--device cuda] [--rehearsal] [--images]\n");
    return 4;
  }
  options.plugins = folders[0];
  options.scratch = folders[1];
  try {
    options.device = open_device(device);
    make_deterministic(true);
    at::set_num_threads(8);
    return gpu_check::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 4;
  }
}
