// What OpenOOD's classes give for the toy problem.
#include "toy_problem.h"

namespace nearfar::testing {
namespace {

struct Toy {
  const char* name;
  ParamMap params;
  std::vector<double> conf;  ///< of OpenOOD: minus our score
};
const std::vector<Toy>& toys() {
  using I = std::int64_t;
  static const std::vector<Toy> all{
      {"msp", {}, {0.603726, 0.693844, 0.49639, 0.59422, 0.746284}},
      {"ebo", {}, {0.33244, 1.54481, 1.79108, 2.35491, 0.545589}},
      {"gen", {{"m", I{2}}}, {-1.71011, -1.69711, -1.73537, -1.72984, -1.64928}},
      {"gen", {}, {-2.52698, -2.46552, -2.53951, -2.47424, -2.45167}},
      {"temp-scaling", {}, {0.500786, 0.568416, 0.439766, 0.512818, 0.600139}},
      {"klm", {}, {-0.102919, -0.0797657, -0.0147807, -0.141916, -0.126755}},
      {"rmds", {}, {-3.28828, 1.49033, -0.240868, 0.362808, -1.38986}},
      {"nnguide", {{"k", I{3}}, {"alpha", 1.0}}, {0.346608, 1.68685, 1.78997, 3.37174, 0.615451}},
      {"nnguide", {{"k", I{3}}, {"alpha", 0.3}, {"batch", I{6}}}, {0.335594, 1.58804, 1.4041, 2.72109, 0.590972}},
      {"mds", {}, {-60.913, -70.7648, -96.1385, -32.5798, -30.1517}},
      {"knn", {{"k", I{5}}}, {-0.573631, -0.868689, -0.86971, -0.535757, -0.607714}},
      {"react", {{"percentile", 75.0}}, {0.451618, 1.48281, 1.76357, 2.11951, 0.576589}},
      {"react", {{"percentile", 50.0}}, {1.02545, 1.12985, 1.41181, 1.39838, 0.941523}},
      {"vra", {{"percentile_high", 75.0}, {"percentile_low", 25.0}}, {0.531099, 1.56555, 1.73738, 2.04317, 0.700031}},
      {"dice", {{"p", 70.0}}, {1.78977, 1.62036, 1.81992, 2.7637, 1.64092}},
      {"dice", {}, {1.57131, 1.59343, 1.38493, 1.87248, 1.59272}},
      {"ash", {{"percentile", 65.0}}, {0.837394, 1.2036, 1.42485, 3.56516, -0.318096}},
      {"ash", {}, {0.979135, 2.2793, 1.97479, 4.47845, 2.54179}},
      {"scale", {{"percentile", 65.0}}, {-1.43773, 3.63139, 3.54316, 7.52615, 1.05098}},
      {"scale", {}, {-23.1568, 9.62368, 6.3197, 112.82, 12.1825}},
      {"she", {}, {1.78743, 0.978123, 0.686069, 2.18422, 1.98452}},
      {"gradnorm", {}, {6.53967, 4.12905, 1.85312, 7.05339, 10.0602}},
      {"fdbd", {}, {0.784716, 0.986629, 0.416815, 0.812917, 1.13724}},
      {"fdbd", {{"distance_as_normalizer", false}}, {0.483593, 1.0167, 0.50905, 0.474344, 0.73107}},
      {"nci", {}, {-0.15643, 0.624814, 0.524899, 1.69541, -0.17261}}};
  return all;
}

TEST(ToyScores, AreOpenOods) {
  for (const Toy& toy : toys()) {
    PostprocessorHandle scorer = postprocessor(toy.name, toy.params);
    scorer.fit(context());
    const at::Tensor found = scorer.score(test_rows());
    ASSERT_EQ(found.numel(), 5);
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_NEAR(found[static_cast<std::int64_t>(i)].item<double>(), -toy.conf[i],
                  2e-5 * std::max(1.0, std::abs(toy.conf[i])))
          << toy.name << ' ' << canonical_params(toy.params) << " row " << i;
    }
  }
}

TEST(ToyScores, OfLogitsAlone) {
  FeatureBatch batch;
  batch.logits = matrix({1, 4, 2, -3, -1, -2}, 2);
  expect_near(postprocessor("mls").score(batch), {-4, 1}, 0);
  // tau = 1/ln 3 turns logits (0, 1) into (0, ln 3): probabilities 1/4 and 3/4
  batch.logits = matrix({0, 1}, 1);
  expect_near(postprocessor("mcm", {{"tau", 1 / std::log(3.0)}}).score(batch), {-0.75}, 1e-6);
  // ebo: -T log(e^0 + e^0) = -T log 2
  batch.logits = matrix({0, 0}, 1);
  expect_near(postprocessor("ebo", {{"temperature", 2.0}}).score(batch), {-2 * std::log(2.0)}, 1e-6);
}

}  // namespace
}  // namespace nearfar::testing
