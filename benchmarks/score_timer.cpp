// Our side of the paired timings in benchmarks/peers: fits one postprocessor on a feature folder (mapped .npy files,
// read once beforehand) and times it inside the process. One command a line on stdin, one answer a line on stdout, wall
// seconds and processor seconds (of all threads):
//   fit            a fresh postprocessor, fitted on the folder's train and validation images
//   score SET      every row of SET, in the runner's blocks
//   save SET FILE  scores SET and writes float32 .npy
// Usage: score_timer PLUGIN.so FOLDER [PARAMETER=VALUE …]; threads by OMP_NUM_THREADS.
#include "base/error.h"
#include "base/npy.h"
#include "base/stopwatch.h"
#include "features/folder.h"
#include "host/call.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iostream>
#include <map>
#include <memory>
#include <span>
#include <sstream>
#include <string>

namespace {
using namespace nearfar;

constexpr std::int64_t kBlockRows = 4096;  // as the runner's scoring has it

ParamMap parameters(std::span<char*> texts) {
  ParamMap map;
  for (const std::string text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) throw Error(ErrorKind::config, text + ": expected PARAMETER=VALUE");
    const std::string value = text.substr(equals + 1);
    std::size_t used = 0;
    ParamValue parsed = value;
    if (value == "true" || value == "false") {
      parsed = value == "true";
    } else if (value.find_first_not_of("0123456789-") == std::string::npos) {
      parsed = static_cast<std::int64_t>(std::stoll(value, &used));
    } else if (value.find_first_not_of("0123456789-+.e") == std::string::npos) {
      parsed = std::stod(value, &used);
    }
    map[text.substr(0, equals)] = parsed;
  }
  return map;
}

at::Tensor part(const at::Tensor& whole, std::int64_t first, std::int64_t count) {
  return whole.defined() ? whole.narrow(0, first, count) : whole;
}

at::Tensor score(const PostprocessorHandle& scorer, const FeatureBatch& batch) {
  const std::int64_t total = rows(batch);
  at::Tensor scores = at::empty({total}, at::kFloat);
  for (std::int64_t first = 0; first < total; first += kBlockRows) {
    const std::int64_t count = std::min(kBlockRows, total - first);
    const FeatureBatch block{
        part(batch.features, first, count), part(batch.normalized, first, count), part(batch.logits, first, count), {}};
    scores.narrow(0, first, count).copy_(scorer.score(block));
  }
  return scores;
}

struct Seconds {
  double wall = 0, processor = 0;
};

/// Of a call.
template <class Call>
Seconds clocked(Call&& call) {
  const Stopwatch watch;
  const std::clock_t before = std::clock();  // of the process, so of all its threads
  call();
  const std::clock_t after = std::clock();
  return {watch.seconds(), static_cast<double>(after - before) / CLOCKS_PER_SEC};
}

class Timer {
 public:
  Timer(const std::string& plugin, const std::string& folder, ParamMap params)
      : plugin_(load_plugin(plugin)), params_(std::move(params)), folder_(folder), scorer_(make()) {
    const Needs needs = scorer_->needs();
    if ((needs & kTrain) != 0) context_.train = read("train", needs);
    if ((needs & kValidation) != 0) context_.val = read("val", needs);
    if ((needs & kHeadWeights) != 0) context_.head = folder_.head();
    context_.classes = folder_.classes();
  }

  Seconds fit() {
    auto fresh = make();
    const Seconds seconds = clocked([&] { fresh->fit(context_); });
    scorer_ = std::move(fresh);
    return seconds;
  }

  Seconds score(const std::string& set) {
    const FeatureBatch& batch = of(set);
    return clocked([&] { ::score(*scorer_, batch); });
  }

  void save(const std::string& set, const std::string& file) {
    const at::Tensor scores = ::score(*scorer_, of(set));
    const std::array<std::int64_t, 1> shape{scores.size(0)};
    write_npy<float>(file, shape,
                     std::span<const float>(scores.const_data_ptr<float>(), static_cast<std::size_t>(shape[0])));
  }

 private:
  std::unique_ptr<PostprocessorHandle> make() const {
    return std::make_unique<PostprocessorHandle>(plugin_, params_, "score_timer");
  }

  /// A set whose pages have been touched, so that no timing reads a disk.
  FeatureBatch read(const std::string& set, Needs needs) const {
    FeatureBatch batch = folder_.set(set, needs);
    for (const at::Tensor& tensor : {batch.features, batch.normalized, batch.logits}) {
      if (tensor.defined()) tensor.sum();
    }
    return batch;
  }

  const FeatureBatch& of(const std::string& set) {
    const auto found = sets_.find(set);
    return found != sets_.end() ? found->second : sets_.emplace(set, read(set, scorer_->needs())).first->second;
  }

  LoadedPlugin plugin_;
  ParamMap params_;
  FeatureFolder folder_;
  FitContext context_;
  std::unique_ptr<PostprocessorHandle> scorer_;
  std::map<std::string, FeatureBatch> sets_;
};

void serve(Timer& timer) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, set, file;
    words >> command >> set >> file;
    Seconds seconds;
    if (command == "fit") {
      seconds = timer.fit();
    } else if (command == "score") {
      seconds = timer.score(set);
    } else if (command == "save") {
      timer.save(set, file);
    } else {
      throw Error(ErrorKind::config, "'" + line + "': expected fit, score SET or save SET FILE");
    }
    std::cout << seconds.wall << " " << seconds.processor << std::endl;
  }
}

}  // namespace

int main(int count, char** words) {
  try {
    if (count < 3) throw Error(ErrorKind::config, "usage: score_timer PLUGIN.so FOLDER [PARAMETER=VALUE …]");
    Timer timer(words[1], words[2], parameters(std::span(words + 3, static_cast<std::size_t>(count - 3))));
    serve(timer);
  } catch (const std::exception& error) {
    std::cerr << "score_timer: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
