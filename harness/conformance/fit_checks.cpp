// fit() on unusual train rows, objects beside each other, and errors.
#include "conformance/check.h"
#include "conformance/subject.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <array>

namespace nearfar {
namespace {

at::Tensor train_rows() { return usual_problem().train.features; }
at::Tensor equal_rows() { return train_rows().narrow(0, 0, 1).expand({kProblemRows, kProblemWidth}).contiguous(); }

/// Fitted on these, other rows and the train rows themselves get finite scores.
void expect_usable(const Subject& subject, const std::string& what, const at::Tensor& features,
                   std::int64_t classes = kProblemClasses) {
  const Problem problem = problem_of(images_of(features), classes);
  try {
    const PostprocessorHandle scorer = subject.fitted(problem);
    subject.score(scorer, subject.batch(scorer, problem, images_of_classes(5, 0.3)));
    subject.score(scorer, part(subject.batch(scorer, problem, problem.train), 0, 1));
  } catch (const Error& error) {
    fail_check("finite scores after fit() on " + what, error.what());
  }
}

void one_class(const Subject& subject) {
  expect_usable(subject, "one class", train_rows(), 1);
  expect_usable(subject, "equal rows of one class", equal_rows(), 1);
}
void fit_equal_rows(const Subject& subject) {
  expect_usable(subject, "equal rows", equal_rows());
  expect_usable(subject, "rows of zeros", at::full({kProblemRows, kProblemWidth}, 0.0));
}
void constant_feature(const Subject& subject) {
  const at::Tensor features = train_rows();
  features.select(1, 3).fill_(0.5);
  expect_usable(subject, "a feature that is the same in all rows", features);
}
void fit_huge(const Subject& subject) {
  expect_usable(subject, "features of 1e4", train_rows().mul(1e4));
  expect_usable(subject, "features of 1e18", train_rows().mul(1e18));
}
void fit_tiny(const Subject& subject) { expect_usable(subject, "features of 1e-30", train_rows().mul(1e-30)); }

FeatureBatch scored_rows(const Subject& subject, const PostprocessorHandle& scorer, const Problem& problem) {
  return subject.batch(scorer, problem, images_of_classes(20, 0.3));
}

Problem other_problem() {
  Problem other = problem_of(images_of_classes(48, 1.1));
  other.train.features = other.train.features.mul(1.7);
  other.train.pixels = other.train.pixels.mul(1.7);
  return other;
}

void objects(const Subject& subject) {
  const Problem first_problem = usual_problem(), second_problem = other_problem();
  const PostprocessorHandle first = subject.fitted(first_problem);
  const FeatureBatch batch = scored_rows(subject, first, first_problem);
  const at::Tensor alone = subject.score(first, batch);
  const PostprocessorHandle second = subject.fitted(second_problem);
  subject.score(second, scored_rows(subject, second, second_problem));
  expect_equal_scores(subject, subject.score(first, batch), alone,
                      "an object's scores stay the same when another one is fitted on other rows");
}

void refit(const Subject& subject) {
  const Problem first = usual_problem(), second = other_problem();
  PostprocessorHandle twice = subject.fitted(first);
  twice.fit(subject.context(twice, second));
  const PostprocessorHandle once = subject.fitted(second);
  const FeatureBatch batch = scored_rows(subject, once, second);
  const double difference = relative_difference(subject.score(twice, batch), subject.score(once, batch));
  if (difference > subject.tolerance()) {
    warn_check("fit() of the same object again to forget the rows before (the host calls it once)",
               fmt::format("a difference of {:.3g} from an object that was fitted once", difference));
  }
}

/// Does `use` fail, then with words? It may as well work.
template <class Use>
void expect_words(const std::string& plugin, const std::string& what, const Use& use) {
  try {
    use();
  } catch (const Error& error) {
    // The guard puts plugin and call in front: what the plugin has said is behind them.
    const std::string message = error.what();
    const std::size_t call = message.find(": ", std::min(plugin.size(), message.size()));
    const std::string own = call == std::string::npos ? message : message.substr(call + 2);
    expect(own.size() >= 8, "an error of " + what + " that says what is wrong", "'" + own + "'");
  }
}

void errors(const Subject& subject) {
  const Problem problem = usual_problem();
  const std::string label = subject.plugin().label();
  expect_words(label, "fit() without train rows", [&] {
    PostprocessorHandle handle = subject.postprocessor();
    FitContext context = subject.context(handle, problem);
    context.train = part(context.train, 0, 0);
    context.val = part(context.val, 0, 0);
    handle.fit(context);
  });
  expect_words(label, "rows of another width", [&] {
    const PostprocessorHandle handle = subject.fitted(problem);
    const FeatureBatch batch = scored_rows(subject, handle, problem);
    handle.score(map_tensors(batch, [](const at::Tensor& tensor) { return tensor.repeat({1, 2}); }));
  });
}

constexpr std::array kChecks{
    Check{.name = "fit-one-class",
          .promise = "fit() on rows of a single class gives finite scores",
          .concerns = kOfFeatures,
          .after = "scores",
          .run = one_class},
    Check{.name = "fit-equal-rows",
          .promise = "fit() on rows that are all the same, zeros included, gives finite scores",
          .concerns = kOfFeatures,
          .after = "scores",
          .run = fit_equal_rows},
    Check{.name = "fit-constant-feature",
          .promise = "fit() on rows with a feature that never changes gives finite scores",
          .concerns = kOfFeatures,
          .after = "scores",
          .run = constant_feature},
    Check{.name = "fit-huge-values",
          .promise = "fit() on features of up to 1e18 gives finite scores",
          .concerns = kOfFeatures,
          .after = "scores",
          .run = fit_huge},
    Check{.name = "fit-tiny-values",
          .promise = "fit() on features of 1e-30 gives finite scores",
          .concerns = kOfFeatures,
          .after = "scores",
          .run = fit_tiny},
    Check{.name = "fit-again",
          .promise = "fit() on other rows forgets the first ones (warns: the host calls it once)",
          .concerns = kOfScores,
          .after = "scores",
          .run = refit,
          .on_devices = false},
    Check{.name = "objects-apart",
          .promise = "two objects share no state",
          .concerns = kOfScores,
          .after = "scores",
          .run = objects,
          .on_devices = false},
    Check{.name = "errors-have-words",
          .promise = "no train rows and rows of another width are taken or refused in words, without a crash",
          .concerns = kOfScores,
          .after = "scores",
          .run = errors,
          .on_devices = false},
};

}  // namespace

std::span<const Check> fit_checks() { return kChecks; }

}  // namespace nearfar
