// OpenOOD's own scores on the features of a trained net: golden/features-a.
#include "golden_features.h"

namespace nearfar::testing {
namespace {

TEST(GoldenScores, Msp) { expect_openood_scores("msp", {}, "msp.main"); }
TEST(GoldenScores, Knn) { expect_openood_scores("knn", {}, "knn.main"); }
TEST(GoldenScores, KnnOtherK) {
  expect_openood_scores("knn", {{"k", std::int64_t{5}}}, "knn.hp_5");
  expect_openood_scores("knn", {{"k", std::int64_t{200}}}, "knn.hp_200");
}
TEST(GoldenScores, Mds) { expect_openood_scores("mds", {}, "mds.main"); }
TEST(GoldenScores, MdsNormalizedIsReweightOod) {
  expect_openood_scores("mds", {{"normalize", true}}, "reweightood.main");
}
TEST(GoldenScores, Mls) { expect_openood_scores("mls", {}, "mls.main"); }
TEST(GoldenScores, Ebo) {
  expect_openood_scores("ebo", {}, "ebo.main");
  expect_openood_scores("ebo", {{"temperature", 10.0}}, "ebo.hp_10");
}
TEST(GoldenScores, Mcm) {
  expect_openood_scores("mcm", {}, "mcm.main");
  expect_openood_scores("mcm", {{"tau", 0.1}}, "mcm.hp_0.1",
                        1e-6);  // most images saturate within a few units of the last place below 1
}
TEST(GoldenScores, Gen) {  // (1 - p)^gamma makes much of the last place of p
  expect_openood_scores("gen", {{"gamma", 2.0}, {"m", std::int64_t{10}}}, "gen.main", 1e-3);
  expect_openood_scores("gen", {}, "gen.hp_0.1_100", 1e-3);
  expect_openood_scores("gen", {{"gamma", 0.5}, {"m", std::int64_t{5}}}, "gen.hp_0.5_5", 1e-3);
}
TEST(GoldenScores, GradNorm) { expect_openood_scores("gradnorm", {}, "gradnorm.main"); }
TEST(GoldenScores, React) {
  expect_openood_scores("react", {}, "react.hp_90");
  expect_openood_scores("react", {{"percentile", 99.0}}, "react.main");
}
TEST(GoldenScores, Vra) {
  expect_openood_scores("vra", {}, "vra.hp_90_10");
  expect_openood_scores("vra", {{"percentile_high", 99.0}, {"percentile_low", 1.0}}, "vra.main");
}
TEST(GoldenScores, Scale) {
  expect_openood_scores("scale", {}, "scale.hp_85");
  expect_openood_scores("scale", {{"percentile", 65.0}}, "scale.main");
}
TEST(GoldenScores, Ash) {
  expect_openood_scores("ash", {}, "ash.hp_90");
  expect_openood_scores("ash", {{"percentile", 65.0}}, "ash.hp_65");
  expect_openood_scores("ash", {{"percentile", 65.0}, {"variant", std::string("p")}}, "ash.ash_p_65");
  expect_openood_scores("ash", {{"percentile", 90.0}, {"variant", std::string("s")}}, "ash.ash_s_90");
}
TEST(GoldenScores, Nci) {
  expect_openood_scores("nci", {}, "nci.hp_0.0001");
  expect_openood_scores("nci", {{"alpha", 0.1}}, "nci.main");
}
TEST(GoldenScores, Fdbd) {
  expect_openood_scores("fdbd", {}, "fdbd.hp_true");
  expect_openood_scores("fdbd", {{"distance_as_normalizer", false}}, "fdbd.hp_false");
}
TEST(GoldenScores, She) {
  expect_openood_scores("she", {}, "she.main");
  expect_openood_scores("she", {{"metric", std::string("euclidean")}}, "she.euclidean");
  expect_openood_scores("she", {{"metric", std::string("cosine")}}, "she.cosine");
}
TEST(GoldenScores, Klm) { expect_openood_scores("klm", {}, "klm.main"); }
TEST(GoldenScores, TempScaling) { expect_openood_scores("temp-scaling", {}, "temp_scaling.main"); }
TEST(GoldenScores, NnGuide) {
  expect_openood_scores("nnguide", {}, "nnguide.main");
  expect_openood_scores("nnguide", {{"k", std::int64_t{10}}}, "nnguide.hp_10_0.01");
}
// The reference subtracts two float32 numbers of about 2e4.
TEST(GoldenScores, Rmds) { expect_openood_scores("rmds", {}, "rmds.main", 1e-3, 0.9995); }
TEST(GoldenScores, Dice) {
  expect_openood_scores("dice", {}, "dice.main");
  expect_openood_scores("dice", {{"p", 50.0}}, "dice.hp_50");
}

}  // namespace
}  // namespace nearfar::testing
