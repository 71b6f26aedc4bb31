// score() of unusual rows: finite features give finite scores.
#include "conformance/check.h"
#include "conformance/subject.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

using Rows = std::vector<std::pair<const char*, at::Tensor>>;

at::Tensor usual(std::int64_t count) { return images_of_classes(count, 0.3).features; }

void expect_finite(const Subject& subject, const Rows& cases) {
  const Problem problem = usual_problem();
  const PostprocessorHandle scorer = subject.fitted(problem);
  for (const auto& [name, features] : cases) {
    try {
      subject.score(scorer, subject.batch(scorer, problem, images_of(features)));
    } catch (const Error& error) {
      fail_check(fmt::format("finite scores of {}", name), error.what());
    }
  }
}

at::Tensor with_column(at::Tensor rows, std::int64_t column, double value) {
  rows.select(1, column).fill_(value);
  return rows;
}

void huge_values(const Subject& subject) {
  at::Tensor little_on_top = at::full({2, kProblemWidth}, -1e18);  // the sum is 1e8 times the largest
  with_column(with_column(little_on_top, 2, -1e10), 9, -1e10);
  expect_finite(subject, {{"features of 1e4", usual(3).mul(1e4)},
                          {"features of 1e18", usual(3).mul(1e18)},
                          {"features of -1e18", usual(3).mul(-1e18)},
                          {"features of both signs of 1e18", usual(8).sub(1).mul(1e18)},
                          {"small features beside one of 1e18", with_column(usual(3).mul(1e-3), 5, 1e18)},
                          {"features of -1e18 and -1e10", little_on_top}});
}

void tiny_values(const Subject& subject) {
  expect_finite(subject, {{"features of 1e-30", usual(3).mul(1e-30)},
                          {"denormal features of 1e-40", usual(3).mul(1e-30).mul(1e-10)}});
}

void constant_rows(const Subject& subject) {
  expect_finite(subject, {{"rows of zeros", at::full({2, kProblemWidth}, 0.0)},
                          {"rows of ones", at::full({2, kProblemWidth}, 1.0)},
                          {"rows of minus one", at::full({2, kProblemWidth}, -1.0)}});
}

void train_rows(const Subject& subject) {
  const at::Tensor train = usual_problem().train.features;
  expect_finite(subject, {{"the mean of the train rows", train.mean(0, true)}, {"a train row", train.narrow(0, 7, 1)}});
}

constexpr std::array kChecks{
    Check{.name = "score-huge-values",
          .promise = "features of up to 1e18 give finite scores",
          .concerns = kOfFeatures,
          .after = "scores",
          .run = huge_values},
    Check{.name = "score-tiny-values",
          .promise = "features of 1e-30 and denormal ones give finite scores",
          .concerns = kOfFeatures,
          .after = "scores",
          .run = tiny_values},
    Check{.name = "score-constant-rows",
          .promise = "rows of one value, zeros included, give finite scores",
          .concerns = kOfFeatures,
          .after = "scores",
          .run = constant_rows},
    Check{.name = "score-train-rows",
          .promise = "a train row and the mean of all give finite scores",
          .concerns = kOfFeatures,
          .after = "scores",
          .run = train_rows},
};

}  // namespace

std::span<const Check> score_value_checks() { return kChecks; }

}  // namespace nearfar
