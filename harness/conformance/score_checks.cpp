// score(): shape, and that the same image gets the same score, whatever comes with it.
#include "conformance/check.h"
#include "conformance/subject.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <thread>
#include <vector>

namespace nearfar {
namespace {

using I = std::int64_t;
constexpr double kPhase = 0.3;  // rows that are not the train rows
constexpr I kMany = 5000;       // more than a block of any plugin
constexpr I kManyInside = 200;  // images of the network

I many(const Subject& subject) { return subject.looks_inside() ? kManyInside : kMany; }

struct Scorer {
  explicit Scorer(const Subject& subject) : of(subject), problem(usual_problem()), handle(subject.fitted(problem)) {}
  FeatureBatch batch(I count) const { return of.batch(handle, problem, images_of_classes(count, kPhase)); }
  at::Tensor score(const FeatureBatch& batch) const { return of.score(handle, batch); }

  const Subject& of;
  Problem problem;
  PostprocessorHandle handle;
};

void fit(const Subject& subject) {
  try {
    subject.fitted(usual_problem());
  } catch (const Error& error) {
    fail_check(
        fmt::format("that fit() takes {} train rows of width {} in {} classes (a parameter too large for them is "
                    "given with -p NAME=VALUE)",
                    kProblemRows, kProblemWidth, kProblemClasses),
        error.what());
  }
}

void scores(const Subject& subject) {
  const Scorer scorer(subject);
  scorer.score(scorer.batch(20));  // the handle looks at shape, type and values
}

double largest(const at::Tensor& scores) { return scores.numel() == 0 ? 0 : scores.abs().max().item<double>(); }

void expect_split(const Scorer& scorer, I count, I step) {
  const FeatureBatch batch = scorer.batch(count);
  const at::Tensor whole = scorer.score(batch);
  for (I first = 0; first < count; first += step) {
    const I here = std::min(step, count - first);
    expect_equal_scores(
        scorer.of, scorer.score(part(batch, first, here)), whole.narrow(0, first, here),
        fmt::format("rows {} to {} of {} score alone as they do in the whole", first, first + here, count),
        largest(whole));
  }
}

void splits(const Subject& subject) {
  const Scorer scorer(subject);
  for (const I step : {1, 3, 7}) expect_split(scorer, 13, step);
}

void large_batch(const Subject& subject) { expect_split(Scorer(subject), many(subject), many(subject) * 2 / 13); }

void order(const Subject& subject) {
  const Scorer scorer(subject);
  const FeatureBatch batch = scorer.batch(33);
  const FeatureBatch reversed = map_tensors(batch, [](const at::Tensor& tensor) { return tensor.flip({0}); });
  expect_equal_scores(subject, scorer.score(reversed).flip({0}), scorer.score(batch),
                      "33 rows score the same in reverse order");
}

void empty_batch(const Subject& subject) {
  const Scorer scorer(subject);
  const I found = scorer.score(part(scorer.batch(2), 0, 0)).numel();
  expect(found == 0, "no score of no rows", fmt::format("{}", found));
}

void duplicates(const Subject& subject) {
  const Scorer scorer(subject);
  const FeatureBatch batch = scorer.batch(5);
  const FeatureBatch twice =
      map_tensors(batch, [](const at::Tensor& tensor) { return tensor.repeat_interleave(2, 0); });
  const at::Tensor found = scorer.score(twice), wanted = scorer.score(batch).repeat_interleave(2, 0);
  expect_equal_scores(subject, found, wanted, "a row that stands twice scores as it does once");
}

void repeats(const Subject& subject) {
  const Scorer scorer(subject);
  const FeatureBatch batch = scorer.batch(50);
  const at::Tensor first = scorer.score(batch), second = scorer.score(batch);
  expect(first.equal(second), "the same bits of the same batch, twice",
         fmt::format("a difference of {:.3g}", relative_difference(second, first)));
}

void threads(const Subject& subject) {
  const Scorer scorer(subject);
  const FeatureBatch batch = scorer.batch(many(subject));
  at::set_num_threads(1);
  const at::Tensor one = scorer.score(batch);
  at::set_num_threads(2);
  const at::Tensor two = scorer.score(batch);
  at::set_num_threads(1);
  expect_equal_scores(subject, two, one, "two threads give the scores of one");
}

void concurrent(const Subject& subject) {
  const Scorer scorer(subject);
  constexpr std::size_t kCallers = 4;
  std::array<FeatureBatch, kCallers> batches;
  std::array<at::Tensor, kCallers> alone, found;
  for (std::size_t i = 0; i < kCallers; ++i) {
    batches[i] = scorer.batch(100 + 30 * static_cast<I>(i));
    alone[i] = scorer.score(batches[i]);
  }
  std::array<std::exception_ptr, kCallers> failed;
  std::vector<std::thread> callers;
  for (std::size_t i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      try {
        for (int round = 0; round < 20; ++round) found[i] = scorer.score(batches[i]);
      } catch (...) {
        failed[i] = std::current_exception();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (std::size_t i = 0; i < kCallers; ++i) {
    if (failed[i] != nullptr) std::rethrow_exception(failed[i]);
    expect_equal_scores(subject, found[i], alone[i], "score() on four threads at a time gives what it gives alone");
  }
}

/// The bytes of what a plugin was given, before and after.
class Copies {
 public:
  explicit Copies(std::vector<at::Tensor> tensors) : tensors_(std::move(tensors)) {
    for (const at::Tensor& tensor : tensors_) before_.push_back(tensor.clone());
  }
  void expect_same(const std::string& call) const {
    for (std::size_t i = 0; i < tensors_.size(); ++i)
      expect(tensors_[i].equal(before_[i]), call + " leaves its inputs as they are",
             fmt::format("tensor {} of them changed", i + 1));
  }

 private:
  std::vector<at::Tensor> tensors_, before_;
};

void inputs(const Subject& subject) {
  const Problem problem = usual_problem();
  PostprocessorHandle handle = subject.postprocessor();
  const FitContext context = subject.context(handle, problem);
  std::vector<at::Tensor> given = tensors_of(context.train);
  given.insert(given.end(), {context.head.weight, context.head.bias});
  const Copies fitted_on(given);
  handle.fit(context);
  fitted_on.expect_same("fit()");
  const FeatureBatch batch = subject.batch(handle, problem, images_of_classes(9, kPhase));
  const Copies scored(tensors_of(batch));
  subject.score(handle, batch);
  scored.expect_same("score()");
  fitted_on.expect_same("score(), of what fit() was given,");
}

void own_memory(const Subject& subject) {
  const Scorer scorer(subject);
  const FeatureBatch batch = scorer.batch(9);
  const at::Tensor scores = scorer.handle.score(batch), earlier = scores.clone();
  for (const at::Tensor& given : tensors_of(batch))
    expect(scores.storage().unsafeGetStorageImpl() != given.storage().unsafeGetStorageImpl(),
           "scores in memory of their own", "they lie in the memory of an input");
  scorer.handle.score(part(scorer.batch(21), 12, 9));  // as many others
  expect(scores.equal(earlier), "returned scores that stay as they are", "another call of score() changed them");
}

void non_contiguous(const Subject& subject) {
  const Scorer scorer(subject);
  const FeatureBatch batch = scorer.batch(17);
  const FeatureBatch strided = map_tensors(
      batch, [](const at::Tensor& tensor) { return tensor.dim() == 2 ? tensor.t().contiguous().t() : tensor; });
  constexpr const char* kExpected = "the same scores of rows that do not lie one after the other (the host gives none)";
  double difference = 0;
  try {
    difference = relative_difference(scorer.score(strided), scorer.score(batch));
  } catch (const Error& error) {
    warn_check(kExpected, error.what());
  }
  if (difference > subject.tolerance()) warn_check(kExpected, fmt::format("a difference of {:.3g}", difference));
}

void needs_only(const Subject& subject) {
  const Needs needs = subject.plugin().needs();
  const auto stripped = [needs](FeatureBatch batch) {
    if ((needs & kFeatures) == 0) batch.features = at::Tensor();
    if ((needs & kNormalizedFeatures) == 0) batch.normalized = at::Tensor();
    if ((needs & kLogits) == 0) batch.logits = at::Tensor();
    return batch;
  };
  const Problem problem = usual_problem();
  const PostprocessorHandle whole = subject.fitted(problem);
  PostprocessorHandle handle = subject.postprocessor();
  FitContext context = subject.context(handle, problem);
  context.train = (needs & kTrain) != 0 ? stripped(context.train) : FeatureBatch{};
  context.val = (needs & kValidation) != 0 ? stripped(context.val) : FeatureBatch{};
  if ((needs & kHeadWeights) == 0) context.head = {};
  handle.fit(context);
  const FeatureBatch batch = subject.batch(whole, problem, images_of_classes(20, kPhase));
  expect_equal_scores(subject, subject.score(handle, stripped(batch)), subject.score(whole, batch),
                      "what .needs names is enough, and gives the same scores as everything");
}

/// The share of pairs (class image, other image) in which the other one has the higher score.
double auroc(const at::Tensor& inside, const at::Tensor& outside) {
  const at::Tensor difference = outside.unsqueeze(0).sub(inside.unsqueeze(1));
  return difference.sign().add(1).div(2).mean().item<double>();
}

void orientation(const Subject& subject) {
  const Scorer scorer(subject);
  const at::Tensor inside = scorer.score(scorer.batch(100)),
                   outside = scorer.score(subject.batch(scorer.handle, scorer.problem, images_of_none(100)));
  const double found = auroc(inside, outside);
  if (found <= 0.5) {
    warn_check("higher scores of images that are of no class: an AUROC above 0.5 on a toy problem",
               fmt::format("{:.3f}; is the sign the right one?", found));
  }
}

void device_scores(const Subject& subject) {
  const Scorer scorer(subject);
  const at::Tensor found = scorer.handle.score(scorer.batch(9));
  expect(found.device() == subject.device(), "scores on the device of the batch, " + subject.device().str(),
         found.device().str());
}

void device_equal(const Subject& subject) {
  const Subject on_cpu(subject, "cpu");
  const Scorer there(subject), here(on_cpu);
  expect_equal_scores(subject, there.score(there.batch(50)), here.score(here.batch(50)),
                      "the device gives the CPU's scores");
}

constexpr std::array kChecks{
    Check{.name = "fit",
          .promise = "fit() takes 60 train rows of 4 classes",
          .concerns = kOfScores,
          .after = "create observe",
          .run = fit},
    Check{.name = "scores",
          .promise = "score() gives one finite float32 or float64 number a row",
          .concerns = kOfScores,
          .after = "fit",
          .run = scores},
    Check{.name = "score-splits",
          .promise = "a batch of 13 split into 1, 3 and 7 rows gives the same scores",
          .concerns = kOfScores,
          .after = "scores",
          .run = splits},
    Check{.name = "score-large-batch",
          .promise = "a batch of thousands of rows gives the scores of its parts",
          .concerns = kOfScores,
          .after = "scores",
          .run = large_batch,
          .on_devices = false},
    Check{.name = "score-order",
          .promise = "the order of rows does not matter",
          .concerns = kOfScores,
          .after = "scores",
          .run = order},
    Check{.name = "score-empty-batch",
          .promise = "no rows give no scores",
          .concerns = kOfScores,
          .after = "scores",
          .run = empty_batch},
    Check{.name = "score-duplicate-rows",
          .promise = "a row that stands twice in a batch scores as it does once",
          .concerns = kOfScores,
          .after = "scores",
          .run = duplicates},
    Check{.name = "score-repeats",
          .promise = "the same batch gives the same bits again",
          .concerns = kOfScores,
          .after = "scores",
          .run = repeats},
    Check{.name = "score-threads",
          .promise = "LibTorch's number of threads does not matter",
          .concerns = kOfScores,
          .after = "scores",
          .run = threads,
          .on_devices = false},
    Check{.name = "score-concurrent",
          .promise = "score() may be called from several threads at a time",
          .concerns = kOfScores,
          .after = "scores",
          .run = concurrent,
          .on_devices = false},
    Check{.name = "score-inputs",
          .promise = "fit() and score() leave what they are given as it was, to the bit",
          .concerns = kOfScores,
          .after = "scores",
          .run = inputs},
    Check{.name = "score-own-memory",
          .promise = "returned scores own their memory: later calls do not change them",
          .concerns = kOfScores,
          .after = "scores",
          .run = own_memory},
    Check{.name = "score-non-contiguous",
          .promise = "rows that do not lie one after the other score the same (warns)",
          .concerns = kOfScores,
          .after = "scores",
          .run = non_contiguous,
          .on_devices = false},
    Check{.name = "needs-only",
          .promise = "given only what .needs names, the scores are the same",
          .concerns = kOfScores,
          .after = "needs scores",
          .run = needs_only,
          .on_devices = false},
    Check{.name = "orientation",
          .promise =
              "images of no class get higher scores than images of a class: AUROC above 0.5 on a toy problem (warns)",
          .concerns = kOfScores,
          .after = "scores",
          .run = orientation,
          .on_devices = false},
    Check{.name = "device-scores",
          .promise = "scores lie on the device of the batch",
          .concerns = kOfScores,
          .after = "scores",
          .run = device_scores,
          .only_devices = true},
    Check{.name = "device-equal",
          .promise = "an accelerator gives the CPU's scores",
          .concerns = kOfScores,
          .after = "scores",
          .run = device_equal,
          .only_devices = true},
};

}  // namespace

std::span<const Check> score_checks() { return kChecks; }

}  // namespace nearfar
