// The contract of score(), for every postprocessor in the build's plugin folder that works on cached features: a new
// plugin is checked without anyone naming it here. Those that look inside the network are named, and checked beside
// their own tests.
#include "toy_problem.h"

#include <ATen/Parallel.h>
#include <ATen/ops/full.h>

#include <functional>
#include <thread>

namespace nearfar::testing {
namespace {

using I = std::int64_t;

/// What a plugin needs for 60 train rows in place of its defaults; several rows check several variants.
struct Setting {
  const char* name;
  ParamMap params = {};
  double tolerance = 1e-5;  ///< of scores that should be equal, relative to the largest of the batch
};
const std::vector<Setting>& settings() {
  static const std::vector<Setting> all{
      {"knn", {{"k", I{5}}}},
      {"cider", {{"k", I{5}}}},
      {"nnguide", {{"k", I{3}}}},
      {"ash"},
      {"ash", {{"variant", std::string("p")}}},
      {"ash", {{"variant", std::string("s")}}},
      {"she"},
      {"she", {{"metric", std::string("euclidean")}}},
      {"she", {{"metric", std::string("cosine")}}},
      {"fdbd"},
      {"fdbd", {{"distance_as_normalizer", false}}},
      {"mds"},
      {"mds", {{"normalize", true}}},
      {"vim", {{"dim", I{4}}}},
      {"residual"},
      {"residual", {{"dim", I{4}}}},
      {"residual", {{"dim", I{4}}, {"fit", std::string("train")}}},
      {"relation"},
      {"relation", {{"pow", 4.0}}},
      {"cfood", {{"alpha", 0.5}}, 0.02},  // steps of a grid of levels: rounding may move an image by one
      {"dropout"},
      {"dropout", {{"masks", std::string("shared")}}},
  };
  return all;
}

/// Methods that look inside the network: features alone do not make them a batch.
constexpr const char* kInsideTheNetwork[] = {"adascale-a",   "adascale-l", "gram",    "iodin",
                                             "mds-ensemble", "odin",       "rankfeat"};

const PluginRegistry& registry() {
  static const PluginRegistry all(
      {.directories = {}, .environment = false, .installed = binary_dir() / "lib/nearfar/plugins"});
  return all;
}

struct Subject {
  const LoadedPlugin& plugin;
  ParamMap params;
  double tolerance;

  PostprocessorHandle fitted(const FitContext& on) const {
    PostprocessorHandle scorer(plugin, params, "test");
    scorer.fit(on);
    return scorer;
  }
};

/// Runs `check` for each; an error of one is its failure and not the others'.
void for_each_plugin(const std::function<void(const Subject&)>& check) {
  int subjects = 0;
  const auto run = [&](const Subject& subject) {
    ++subjects;
    SCOPED_TRACE(subject.plugin.name() + " " + canonical_params(subject.params));
    try {
      check(subject);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  };
  for (const LoadedPlugin& plugin : registry().plugins()) {
    if (plugin.kind() != PluginKind::postprocessor || observes(plugin.needs())) continue;
    bool set = false;
    for (const Setting& setting : settings()) {
      if (setting.name != plugin.name()) continue;
      run({plugin, setting.params, setting.tolerance});
      set = true;
    }
    if (!set) run({plugin, {}, 1e-5});
  }
  ::testing::Test::RecordProperty("subjects", subjects);
}

constexpr I kWidth = 12, kClasses = 4;

HeadWeights linear_head() {
  return {formula(kClasses, kWidth,
                  [](double c, double j) {
                    return (std::fmod(j, kClasses) == c ? 1 : -0.2) + 0.1 * std::cos(1.1 * c + 0.9 * j);
                  }),
          formula(1, kClasses, [](double, double c) { return 0.1 * c; }).squeeze(0)};
}

/// Row i belongs to class i mod 4 and is classified as such.
at::Tensor raw_rows(I count, double phase = 0) {
  return formula(count, kWidth, [phase](double i, double j) {
    return std::abs(std::sin(phase + 0.7 * i * i + 1.3 * j + 0.1 * i * j)) +
           (std::fmod(i, kClasses) == std::fmod(j, kClasses) ? 2 : 0);
  });
}
at::Tensor class_labels(I count, I classes) {
  std::vector<I> values;
  for (I i = 0; i < count; ++i) values.push_back(i % classes);
  return labels(values);
}

FitContext problem(const at::Tensor& train, I classes = kClasses) {
  FitContext result;
  result.head = linear_head();
  result.head = {result.head.weight.narrow(0, 0, classes), result.head.bias.narrow(0, 0, classes)};
  result.classes = classes;
  result.train = result.val = with_logits(train, result.head, class_labels(train.size(0), classes));
  return result;
}
FitContext problem() { return problem(raw_rows(60)); }
FeatureBatch scored_rows(I count, I classes = kClasses) {
  return with_logits(raw_rows(count, 0.3), problem(raw_rows(4), classes).head);
}

void expect_equal_scores(const at::Tensor& found, const at::Tensor& wanted, double scale, double tolerance) {
  ASSERT_EQ(found.numel(), wanted.numel());
  if (found.numel() == 0) return;
  EXPECT_LE(found.sub(wanted).abs().max().item<double>() / scale, tolerance);
}
double scale_of(const at::Tensor& scores) { return std::max(scores.abs().max().item<double>(), 1e-12); }

TEST(ScoreContract, EveryLibraryOfTheFolderIsUsable) {
  for (const PluginRegistry::Refusal& refusal : registry().refusals()) ADD_FAILURE() << refusal.message;
  for (const Setting& setting : settings())
    EXPECT_NO_THROW(registry().find(PluginKind::postprocessor, setting.name)) << setting.name;
}

TEST(ScoreContract, WhatLooksInsideTheNetworkIsNamed) {
  int found = 0;
  for (const LoadedPlugin& plugin : registry().plugins()) {
    if (plugin.kind() != PluginKind::postprocessor || !observes(plugin.needs())) continue;
    ++found;
    EXPECT_NE(std::ranges::find(kInsideTheNetwork, plugin.name()), std::end(kInsideTheNetwork))
        << plugin.name() << " looks inside the network: check its contract in a test of its own and name it here";
  }
  RecordProperty("inside_the_network", found);
}

TEST(ScoreContract, AnySplitOfABatchGivesTheSameScores) {
  const FeatureBatch few = scored_rows(13), many = scored_rows(5000);  // more than a block of any plugin
  for_each_plugin([&](const Subject& subject) {
    const PostprocessorHandle scorer = subject.fitted(problem());
    const auto check = [&](const FeatureBatch& batch, I step) {
      const at::Tensor whole = scorer.score(batch);
      for (I first = 0; first < rows(batch); first += step) {
        const I here = std::min(step, rows(batch) - first);
        SCOPED_TRACE("rows " + std::to_string(first) + " to " + std::to_string(first + here));
        expect_equal_scores(scorer.score(narrow(batch, first, here)), whole.narrow(0, first, here), scale_of(whole),
                            subject.tolerance);
      }
    };
    for (const I step : {1, 3, 7}) check(few, step);
    check(many, 777);
    EXPECT_EQ(scorer.score(narrow(few, 0, 0)).numel(), 0);
  });
}

TEST(ScoreContract, TheOrderOfRowsDoesNotMatter) {
  const FeatureBatch batch = scored_rows(33);
  const FeatureBatch reversed{batch.features.flip({0}), batch.normalized.flip({0}), batch.logits.flip({0}), {}};
  for_each_plugin([&](const Subject& subject) {
    const PostprocessorHandle scorer = subject.fitted(problem());
    const at::Tensor whole = scorer.score(batch);
    expect_equal_scores(scorer.score(reversed).flip({0}), whole, scale_of(whole), subject.tolerance);
  });
}

class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

TEST(ScoreContract, OneThreadAndTwoGiveTheSameScores) {
  const FeatureBatch batch = scored_rows(5000);
  for_each_plugin([&](const Subject& subject) {
    const auto scores = [&](int threads) {  // fitted and scored
      const Threads scope(threads);
      return subject.fitted(problem()).score(batch);
    };
    const at::Tensor alone = scores(1);
    expect_equal_scores(scores(2), alone, scale_of(alone), subject.tolerance);
  });
}

TEST(ScoreContract, MayBeCalledFromTwoThreadsAtOnce) {
  const FeatureBatch first = scored_rows(700), second = narrow(scored_rows(1500), 700, 800);
  for_each_plugin([&](const Subject& subject) {
    const PostprocessorHandle scorer = subject.fitted(problem());
    const at::Tensor first_alone = scorer.score(first), second_alone = scorer.score(second);
    std::vector<at::Tensor> found(6);
    std::string failure;
    const auto score = [&](const FeatureBatch& batch, std::size_t begin) {
      try {
        for (std::size_t i = begin; i < begin + 3; ++i) found[i] = scorer.score(batch);
      } catch (const std::exception& error) {
        if (begin > 0) failure = error.what();  // one writer; the other's is missing below
      }
    };
    std::thread other([&] { score(second, 3); });
    score(first, 0);
    other.join();
    ASSERT_EQ(failure, "");
    for (std::size_t i = 0; i < 6; ++i) {
      ASSERT_TRUE(found[i].defined());
      const at::Tensor& alone = i < 3 ? first_alone : second_alone;
      expect_equal_scores(found[i], alone, scale_of(alone), subject.tolerance);
    }
  });
}

TEST(ScoreContract, InputsStayAsTheyWere) {
  const auto parts = [](const FitContext& on, const FeatureBatch& batch) {
    std::vector<at::Tensor> all{on.head.weight, on.head.bias};
    for (const FeatureBatch* of : {&on.train, &on.val, &batch}) {
      for (const at::Tensor& part : {of->features, of->normalized, of->logits, of->labels}) {
        if (part.defined()) all.push_back(part);
      }
    }
    return all;
  };
  for_each_plugin([&](const Subject& subject) {
    const FitContext on = problem();
    const FeatureBatch batch = scored_rows(9);
    std::vector<at::Tensor> before;
    for (const at::Tensor& part : parts(on, batch)) before.push_back(part.clone());
    const PostprocessorHandle scorer = subject.fitted(on);
    const at::Tensor scores = scorer.score(batch), earlier = scores.clone();
    scorer.score(scored_rows(21));
    EXPECT_TRUE(scores.equal(earlier)) << "returned scores changed";
    const std::vector<at::Tensor> after = parts(on, batch);
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_TRUE(after[i].equal(before[i])) << "input " << i << " changed";
  });
}

TEST(ScoreContract, FiniteFeaturesGiveFiniteScores) {
  at::Tensor one_large = raw_rows(3).mul(1e-3);
  one_large.index_fill_(1, labels({5}), 1e18);
  at::Tensor little_on_top = at::full({2, kWidth}, -1e18);  // the sum is 1e8 times the largest
  little_on_top.index_fill_(1, labels({2, 9}), -1e10);
  const std::vector<std::pair<const char*, at::Tensor>> cases{
      {"zeros", at::full({2, kWidth}, 0.0)},
      {"constant", at::full({2, kWidth}, 1.0)},
      {"negative", at::full({2, kWidth}, -1.0)},
      {"1e4", raw_rows(3).mul(1e4)},
      {"1e18", raw_rows(3).mul(1e18)},
      {"-1e18", raw_rows(3).mul(-1e18)},
      {"both signs of 1e18", raw_rows(8).sub(1).mul(1e18)},
      {"one of 1e18", one_large},
      {"little on top", little_on_top},
      {"1e-30", raw_rows(3).mul(1e-30)},
      {"the train mean", raw_rows(60).mean(0, true)},
      {"a train row", raw_rows(60).narrow(0, 7, 1)},
  };
  for_each_plugin([&](const Subject& subject) {
    const FitContext on = problem();
    const PostprocessorHandle scorer = subject.fitted(on);
    for (const auto& [name, raw] : cases) {
      SCOPED_TRACE(name);
      EXPECT_NO_THROW(scorer.score(with_logits(raw, on.head)));  // the handle refuses NaN and infinity
    }
  });
}

TEST(ScoreContract, DegenerateTrainSetsGiveFiniteScores) {
  at::Tensor constant_feature = raw_rows(60);
  constant_feature.index_fill_(1, labels({3}), 0.5);
  const std::vector<std::pair<const char*, FitContext>> cases{
      {"one class", problem(raw_rows(60), 1)},
      {"equal rows", problem(raw_rows(1).expand({60, kWidth}).contiguous())},
      {"rows of zeros", problem(at::full({60, kWidth}, 0.0))},
      {"equal rows of one class", problem(raw_rows(1).expand({60, kWidth}).contiguous(), 1)},
      {"a constant feature", problem(constant_feature)},
      {"features of 1e4", problem(raw_rows(60).mul(1e4))},
      {"features of 1e18", problem(raw_rows(60).mul(1e18))},
      {"features of 1e-30", problem(raw_rows(60).mul(1e-30))},
  };
  for_each_plugin([&](const Subject& subject) {
    for (const auto& [name, on] : cases) {
      SCOPED_TRACE(name);
      try {
        const PostprocessorHandle scorer = subject.fitted(on);
        EXPECT_EQ(scorer.score(scored_rows(5, on.classes)).numel(), 5);
        EXPECT_EQ(scorer.score(narrow(on.train, 0, 1)).numel(), 1);
        EXPECT_EQ(scorer.score(narrow(on.train, 0, 0)).numel(), 0);
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    }
  });
}

}  // namespace
}  // namespace nearfar::testing
