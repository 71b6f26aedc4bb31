// What a plugin leaves of the process that it is in.
#include "conformance/check.h"
#include "conformance/loss_subject.h"
#include "conformance/subject.h"
#include "device/transfer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <array>
#include <cfenv>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// Everything once, from making an object to destroying it.
void use(const Subject& subject) {
  if (subject.plugin().kind() == PluginKind::loss) {
    LossSubject made(subject);
    made.run(made.usual_batch());
    return;
  }
  const Problem problem = usual_problem();
  const PostprocessorHandle scorer = subject.fitted(problem);
  subject.score(scorer, subject.batch(scorer, problem, images_of_classes(40, 0.3)));
}

/// A backward pass starts LibTorch's own threads, which are nobody's fault.
void start_autograd(const Subject& subject) {
  const at::Tensor leaf = upload(at::ones({3}), subject.device()).set_requires_grad(true);
  leaf.mul(2).sum().backward();
}

std::map<std::string, std::string> entries(const char* folder) {
  std::map<std::string, std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    std::error_code not_a_link;
    const std::string target = fs::read_symlink(entry.path(), not_a_link).string();
    if (!target.starts_with("/proc/")) found[entry.path().filename().string()] = target;  // not what reads the folder
  }
  return found;
}

void no_output(const Subject& subject) {
  std::cout.flush();
  std::fflush(nullptr);
  const int before = ::dup(STDOUT_FILENO), file = ::memfd_create("printed", MFD_CLOEXEC);
  ::dup2(file, STDOUT_FILENO);
  std::string failed;
  try {
    use(subject);
  } catch (const std::exception& error) {
    failed = error.what();
  }
  std::cout.flush();
  std::fflush(nullptr);
  ::dup2(before, STDOUT_FILENO);
  std::string printed(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)), '\0');
  printed.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::pread(file, printed.data(), printed.size(), 0))));
  ::close(before);
  ::close(file);
  expect(failed.empty(), "no error", failed);
  expect(printed.empty(), "nothing on standard output, which is the program's", "'" + printed.substr(0, 200) + "'");
}

void no_threads(const Subject& subject) {
  start_autograd(subject);
  const std::size_t before = entries("/proc/self/task").size();
  use(subject);
  const std::size_t after = entries("/proc/self/task").size();
  expect(after <= before, fmt::format("{} threads, as before", before), fmt::format("{} threads", after));
}

void no_files(const Subject& subject) {
  use(subject);  // what LibTorch opens once stays open
  const auto before = entries("/proc/self/fd");
  use(subject);
  const auto after = entries("/proc/self/fd");
  for (const auto& [number, target] : after) {
    expect(before.contains(number), "no more open files after use than before", fmt::format("{} is open", target));
  }
}

void no_processes(const Subject& subject) {
  use(subject);
  expect(::waitpid(-1, nullptr, WNOHANG) < 0, "no process that the plugin has started", "there is one");
}

void no_memory_growth(const Subject& subject) {
  constexpr int kTimes = 30;
  constexpr std::size_t kGrowth = 64 << 10;
  const auto held = [] {
    const struct mallinfo2 now = ::mallinfo2();
    return now.uordblks + now.hblkhd;
  };
  std::function<void()> once;
  std::optional<PostprocessorHandle> scorer;
  std::optional<LossSubject> loss;
  FeatureBatch batch;
  LossBatch rows;
  if (subject.plugin().kind() == PluginKind::loss) {
    loss.emplace(subject);
    rows = loss->usual_batch();
    once = [&] { loss->step(rows); };
  } else {
    const Problem problem = usual_problem();
    scorer.emplace(subject.fitted(problem));
    batch = subject.batch(*scorer, problem, images_of_classes(40, 0.3));
    once = [&] { subject.score(*scorer, batch); };
  }
  for (int i = 0; i < 3; ++i) once();
  const std::size_t before = held();
  for (int i = 0; i < kTimes; ++i) once();
  const std::size_t after = held();
  expect(after <= before + kGrowth, fmt::format("at most {} bytes more after {} calls", kGrowth, kTimes),
         fmt::format("{} bytes more", after > before ? after - before : 0));
}

/// Of LibTorch and of the process, by name.
std::map<std::string, std::string> settings() {
  const at::Context& context = at::globalContext();
  std::error_code ignored;
  return {{"number of threads", fmt::format("{}", at::get_num_threads())},
          {"gradients", at::GradMode::is_enabled() ? "on" : "off"},
          {"deterministic algorithms", context.deterministicAlgorithms() ? "on" : "off"},
          {"default type", std::string(c10::toString(at::get_default_dtype_as_scalartype()))},
          {"rounding mode", fmt::format("{}", std::fegetround())},
          {"denormal numbers", 1e-39F * static_cast<float>(std::fegetround() + 1) != 0 ? "kept" : "flushed"},
          {"working folder", fs::current_path(ignored).string()},
          {"locale", std::setlocale(LC_ALL, nullptr)}};
}

void keeps_settings(const Subject& subject) {
  const auto before = settings();
  use(subject);
  for (const auto& [name, value] : settings())
    expect(value == before.at(name), fmt::format("{} as before: {}", name, before.at(name)), value);
}

void keeps_generator(const Subject& subject) {
  const at::Generator generator = at::detail::getDefaultCPUGenerator();
  const at::Tensor before = generator.get_state().clone();
  use(subject);
  expect(generator.get_state().equal(before),
         "LibTorch's global generator as it was: randomness comes from a seed or from parameters",
         "numbers were drawn from it");
}

constexpr std::array kChecks{
    Check{.name = "no-output",
          .promise = "nothing is printed on standard output",
          .after = "scores loss",
          .run = no_output,
          .on_devices = false},
    Check{.name = "no-threads-left",
          .promise = "no thread is left when an object has been used and destroyed",
          .after = "scores loss",
          .run = no_threads,
          .on_devices = false},
    Check{.name = "no-files-left",
          .promise = "no file is left open",
          .after = "scores loss",
          .run = no_files,
          .on_devices = false},
    Check{.name = "no-processes-left",
          .promise = "no process is left",
          .after = "scores loss",
          .run = no_processes,
          .on_devices = false},
    Check{.name = "no-memory-growth",
          .promise = "30 calls of score() or forward() take no more memory than 3",
          .after = "scores loss",
          .run = no_memory_growth,
          .on_devices = false},
    Check{.name = "keeps-settings",
          .promise = "LibTorch's settings, rounding, locale and working folder are as before",
          .after = "scores loss",
          .run = keeps_settings,
          .on_devices = false},
    Check{.name = "keeps-generator",
          .promise = "LibTorch's global generator is not drawn from",
          .after = "scores loss",
          .run = keeps_generator,
          .on_devices = false},
    Check{.name = "exit",
          .promise = "the process that has used it ends by exit() without a crash",
          .after = "scores loss",
          .run = use,
          .on_devices = false,
          .exits = true},
};

}  // namespace

std::span<const Check> process_checks() { return kChecks; }

}  // namespace nearfar
