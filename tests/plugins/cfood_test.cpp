// cfood, and the reader of row numbers that it takes its reference from.
#include "../../plugins/common/npy_indices.h"
#include "base/files.h"
#include "golden_features.h"
#include "toy_problem.h"

#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>

#include <fstream>
#include <numbers>

namespace nearfar::testing {
namespace {

using common::read_npy_indices;
using I = std::int64_t;

/// Files of the test's own.
class Scratch {
 public:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  /// A .npy file of a version with this header and data.
  std::string npy(const std::string& header, const std::string& data, char version = '\1') const {
    std::string bytes = "\x93NUMPY";
    bytes += {version, '\0', static_cast<char>(header.size()), '\0'};
    if (version > 1) bytes += std::string(2, '\0');
    std::ofstream(path("made.npy"), std::ios::binary) << bytes << header << data;
    return path("made.npy");
  }

 private:
  TempDir folder_;
};

std::string message(const std::string& file, ErrorKind kind) {
  try {
    read_npy_indices(file, 10);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(file), std::string::npos) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return "";
}

TEST(NpyIndices, ReadsBothWidthsAndAllVersions) {
  const Scratch scratch;
  const std::vector<I> wide{3, 0, 9}, shape{3};
  const std::vector<std::int32_t> narrow{3, 0, 9};
  write_npy<I>(scratch.path("wide.npy"), shape, wide);
  write_npy<std::int32_t>(scratch.path("narrow.npy"), shape, narrow);
  EXPECT_EQ(read_npy_indices(scratch.path("wide.npy"), 10), wide);
  EXPECT_EQ(read_npy_indices(scratch.path("narrow.npy"), 10), wide);
  const std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }\n", seven("\7\0\0\0", 4);
  for (const char version : {'\1', '\2', '\3'})
    EXPECT_EQ(read_npy_indices(scratch.npy(header, seven, version), 10), std::vector<I>{7});
  EXPECT_EQ(read_npy_indices(scratch.npy("{'shape':(0,),'fortran_order':False,'descr':'<i8'}", ""), 10),
            std::vector<I>{});
}

TEST(NpyIndices, RefusesEverythingElse) {
  const Scratch scratch;
  const std::string four(4, '\0'), eight(8, '\0');
  const auto refused = [&](const std::string& type, const std::string& order, const std::string& shape,
                           const std::string& data) {
    return message(
        scratch.npy("{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }", data),
        ErrorKind::data);
  };
  EXPECT_NE(refused("<f8", "False", "(1,)", eight).find("'<f8'"), std::string::npos);
  EXPECT_NE(refused(">i8", "False", "(1,)", eight).find("'>i8'"), std::string::npos);
  EXPECT_NE(refused("<i8", "True", "(1,)", eight).find("Fortran"), std::string::npos);
  for (const char* shape : {"(1, 1)", "(1, 1,)", "()", "(1)", "(-1,)", "(,)", "1", "(99999999999999999999,)"})
    EXPECT_NE(refused("<i8", "False", shape, eight).find("shape"), std::string::npos) << shape;
  EXPECT_NE(refused("<i8", "False", "(1,)", four).find("4 bytes of data for 1 numbers"), std::string::npos);
  EXPECT_NE(refused("<i4", "False", "(1,)", eight).find("8 bytes"), std::string::npos);
  EXPECT_NE(message(scratch.npy("{'descr': '<i8'}", eight), ErrorKind::data).find("fortran_order"), std::string::npos);
  EXPECT_NE(message(scratch.npy("", "", '\4'), ErrorKind::data).find("version 4.0"), std::string::npos);
  message(scratch.path("missing.npy"), ErrorKind::config);
  std::ofstream(scratch.path("text.npy")) << "not an array of numbers";
  EXPECT_NE(message(scratch.path("text.npy"), ErrorKind::data).find("not a .npy file"), std::string::npos);
  std::ofstream(scratch.path("cut.npy"), std::ios::binary) << std::string("\x93NUMPY\1\0\x76\0{'de", 14);
  EXPECT_NE(message(scratch.path("cut.npy"), ErrorKind::data).find("cut off"), std::string::npos);
}

TEST(NpyIndices, RefusesRowsThatAreNotThere) {
  const Scratch scratch;
  const std::vector<I> shape{2};
  for (const I wrong : {I{10}, I{-1}}) {
    write_npy<I>(scratch.path("rows.npy"), shape, std::vector<I>{4, wrong});
    const std::string said = message(scratch.path("rows.npy"), ErrorKind::data);
    EXPECT_NE(said.find("number 1 is " + std::to_string(wrong) + "; expected 0 to 9"), std::string::npos) << said;
  }
}

/// Unit vectors at these degrees.
FeatureBatch at_degrees(const std::vector<double>& degrees) {
  std::vector<float> values;
  for (const double degree : degrees) {
    values.push_back(static_cast<float>(std::cos(degree * std::numbers::pi / 180)));
    values.push_back(static_cast<float>(std::sin(degree * std::numbers::pi / 180)));
  }
  return features(matrix(values, static_cast<I>(degrees.size())));
}
FitContext trained(const std::vector<double>& degrees) {
  FitContext context;
  context.train = at_degrees(degrees);
  context.classes = 1;
  return context;
}

TEST(Cfood, HandWorked) {
  // Of four reference images, the levels cut to 1st (0.001), 2nd (0.5) and 3rd neighbour (0.75, or 0.76 if 0.75 is just
  // below). Radii in degrees: 10 30 60, 10 20 50, 20 30 30, 30 50 60. Two must have the query within theirs.
  PostprocessorHandle scorer = postprocessor("cfood", {{"alpha", 1.0}, {"k", 0.5}});
  scorer.fit(trained({0, 10, 30, 60}));
  //    5: 5, 5, 25, 55 away: the first two, by their 1st neighbours.     45: 45, 35, 15, 15: the last two.
  //  -15: 15, 25, 45, 75: none; 30 >= 15 alone; 60 >= 15 and 50 >= 25.   75: 75, 65, 45, 15: never more than one.
  const at::Tensor found = scorer.score(at_degrees({5, 45, 75}));
  expect_near(found, {0.001, 0.001, 1}, 1e-7);
  const double third = scorer.score(at_degrees({-15}))[0].item<double>();
  EXPECT_TRUE(std::abs(third - 0.75) < 1e-6 || std::abs(third - 0.76) < 1e-6) << third;
}

TEST(Cfood, AnImageOfTheReferenceIsWithinEqualRadii) {
  // Each image twice: the 1st neighbour is at distance 0, and the image itself is within that radius of both.
  PostprocessorHandle scorer = postprocessor("cfood", {{"alpha", 1.0}, {"k", 0.25}});
  FitContext context = trained({0, 0, 0, 0});
  context.train = features(at::randn({4, 64}).repeat({2, 1}));
  scorer.fit(context);
  expect_near(scorer.score(context.train), std::vector<double>(8, 0.001), 1e-9);
}

TEST(Cfood, DrawsByItsSeedAlone) {
  FitContext context = trained({0});
  context.train = features(at::randn({200, 16}));
  const FeatureBatch queries = features(at::randn({40, 16}));
  const auto scores = [&](I seed) {
    PostprocessorHandle scorer = postprocessor("cfood", {{"seed", seed}, {"alpha", 0.2}});
    scorer.fit(context);
    return scorer.score(queries);
  };
  EXPECT_TRUE(scores(1).equal(scores(1)));
  EXPECT_FALSE(scores(1).equal(scores(2)));
}

TEST(Cfood, TakesPicksInsteadOfADraw) {
  const Scratch scratch;
  const std::vector<I> shape{4}, rows{4, 1, 6, 3};
  write_npy<I>(scratch.path("picks.npy"), shape, rows);
  PostprocessorHandle picked = postprocessor("cfood", {{"picks", scratch.path("picks.npy")}, {"k", 0.5}}),
                      whole = postprocessor("cfood", {{"alpha", 1.0}, {"k", 0.5}});
  picked.fit(trained({100, 10, 120, 60, 0, 140, 30}));
  whole.fit(trained({0, 10, 30, 60}));
  const FeatureBatch queries = at_degrees({5, 45, -15, 75, 100});
  EXPECT_TRUE(picked.score(queries).equal(whole.score(queries)));
}

TEST(Cfood, RefusesAReferenceOfOne) {
  EXPECT_THROW(postprocessor("cfood").fit(trained({0, 1, 2, 3, 4, 5, 6, 7, 8, 9})), Error);
}

TEST(Cfood, GoldenScores) {
  const auto picks = golden("features-a-expected/cfood.fit.index_id.npy");
  if (!picks) GTEST_SKIP() << "no golden features-a; set NEARFAR_GOLDEN";
  expect_openood_scores("cfood", {{"picks", picks->string()}}, "cfood.main");
  expect_openood_scores("cfood", {{"picks", picks->string()}}, "cfood.hp_0.1_0.01");
  expect_openood_scores("cfood", {{"picks", picks->string()}, {"k", 0.05}}, "cfood.hp_0.1_0.05");
}

TEST(Cfood, KeepsTheContractOfScore) {
  PostprocessorHandle scorer = postprocessor("cfood", {{"alpha", 0.5}, {"k", 0.2}});
  scorer.fit(context());
  expect_rows_independent(scorer, features(at::randn({11, 8}).abs()), 0);
  for (const double value : {0.0, 1.0, -1.0, 1e4, 1e30})
    EXPECT_TRUE(at::isfinite(scorer.score(features(at::full({2, 8}, value)))).all().item<bool>()) << value;
  scorer.fit(trained(std::vector<double>(24, 5)));  // constant
  EXPECT_TRUE(at::isfinite(scorer.score(at_degrees({5, 6, 185}))).all().item<bool>());
}

}  // namespace
}  // namespace nearfar::testing
