#include "data/check.h"

#include "data/pack.h"
#include "made_images.h"

#include <nlohmann/json.hpp>

namespace nearfar {
namespace {

using namespace testing;

class CheckTest : public MadeImages {
 protected:
  void SetUp() override {
    MadeImages::SetUp();
    options_.threads = 3;
  }
  DataCheck check(const Benchmark& benchmark) { return check_data(benchmark, options_); }
  static const SetCheck& set(const DataCheck& result, const std::string& name) {
    for (const SetCheck& entry : result.sets) {
      if (entry.name == name) return entry;
    }
    throw std::out_of_range(name);
  }
  void remove(const std::string& name) { std::filesystem::remove(folder_.path() / name); }
};

TEST_F(CheckTest, FindsNothingWhereNothingIsWrong) {
  std::int64_t last = 0;
  const DataCheck result =
      check_data(made_benchmark(10, 4, 3, 2), options_, [&](std::int64_t done, std::int64_t total) {
        EXPECT_EQ(total, 19);
        EXPECT_GT(done, last);
        last = done;
      });
  EXPECT_EQ(last, 19);
  EXPECT_TRUE(result.ok) << check_text(result);
  EXPECT_EQ(result.first_problem, "");
  EXPECT_TRUE(result.overlaps.empty());
  EXPECT_EQ(set(result, "train").listed, 10);
  EXPECT_EQ(set(result, "train").classes_present, 2);
  EXPECT_EQ(set(result, "near/x").classes_present, 0);
}

TEST_F(CheckTest, CountsMissingAndUnreadableFilesAndNamesTheFirst) {
  const Benchmark benchmark = made_benchmark(10, 4, 3, 2);
  write("images/train_made/0006.png", "no image");
  remove("images/train_made/0002.png");
  remove("images/test_x/0001.png");
  const DataCheck result = check(benchmark);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(set(result, "train").missing, 1);
  EXPECT_EQ(set(result, "train").unreadable, 1);
  EXPECT_EQ(set(result, "near/x").missing, 1);
  EXPECT_EQ(set(result, "train").first_bad.size(), 2U);
  EXPECT_NE(result.first_problem.find("lists/train_made.txt:3: "), std::string::npos) << result.first_problem;
  EXPECT_NE(result.first_problem.find("0002.png"), std::string::npos) << result.first_problem;
}

TEST_F(CheckTest, WarnsOfDamagedFilesAndNamesTheFirst) {
  const Benchmark benchmark = made_benchmark(10, 4, 3, 2);
  for (const int number : {1, 2, 3, 4, 5, 6, 8}) {
    const std::string whole = made_png(number);
    write(fmt::format("images/train_made/{:04}.png", number), whole.substr(0, whole.size() * 2 / 3));
  }
  const DataCheck result = check(benchmark);
  EXPECT_TRUE(result.ok);
  EXPECT_EQ(set(result, "train").damaged, 7);
  EXPECT_EQ(set(result, "test").damaged, 0);
  ASSERT_EQ(set(result, "train").first_damaged.size(), 5U);
  const std::string text = check_text(result);
  EXPECT_NE(text.find("train_made/0001.png: is cut off or has errors"), std::string::npos) << text;
  EXPECT_NE(text.find("warning: train: and 2 more damaged files\n"), std::string::npos) << text;
  EXPECT_NE(text.find("can be read, 7 files of it damaged"), std::string::npos) << text;
  EXPECT_EQ(nlohmann::json::parse(check_json(result))["sets"][0]["damaged"], 7);
}

TEST_F(CheckTest, ABadFileIsNamedBeforeAWrongCount) {
  const Benchmark benchmark = made_benchmark(10, 4, 3, 2);
  write("lists/train_made.txt", "train_made/0000.png 0\ntrain_made/0001.png 1\n");
  DataCheck result = check(benchmark);
  EXPECT_FALSE(result.ok);
  EXPECT_TRUE(result.first_problem.starts_with("set 'train' has 2 images, 10 expected")) << result.first_problem;
  remove("images/test_y/0001.png");
  result = check(benchmark);
  EXPECT_NE(result.first_problem.find("lists/test_y.txt:2: "), std::string::npos) << result.first_problem;
}

TEST_F(CheckTest, AnAllowedCountIsNoFault) {
  const Benchmark benchmark = made_benchmark(10, 4, 3, 2);
  write("lists/train_made.txt", "train_made/0000.png 0\ntrain_made/0001.png 1\n");
  options_.allow_count_mismatch = true;
  EXPECT_TRUE(check(benchmark).ok);
}

TEST_F(CheckTest, EveryClassMustBeInTrainAndTest) {
  const Benchmark benchmark = made_benchmark(2, 2, 1, 1);
  write("lists/test_made.txt", "test_made/0000.png 1\ntest_made/0001.png 1\n");
  const DataCheck result = check(benchmark);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(set(result, "test").classes_present, 1);
  EXPECT_EQ(result.first_problem, "set 'test' has images of 1 of 2 classes; none of even (0)");
}

TEST_F(CheckTest, AListThatCannotBeReadIsOneEntry) {
  const Benchmark benchmark = made_benchmark(4, 4, 3, 2);
  write("lists/test_x.txt", "no-label-here\n");
  remove("lists/test_y.txt");
  const DataCheck result = check(benchmark);
  EXPECT_FALSE(result.ok);
  EXPECT_NE(set(result, "near/x").error.find("test_x.txt:1"), std::string::npos) << set(result, "near/x").error;
  EXPECT_NE(set(result, "far/y").error, "");
  EXPECT_EQ(set(result, "train").error, "");
  EXPECT_EQ(set(result, "train").missing, 0);
}

TEST_F(CheckTest, FindsTheSameImageTwiceInASet) {
  const Benchmark benchmark = made_benchmark(10, 4, 3, 2);
  write("images/train_made/0007.png", made_png(1));
  write("images/train_made/0009.png", made_png(1));
  const DataCheck result = check(benchmark);
  EXPECT_TRUE(result.ok);
  EXPECT_EQ(set(result, "train").duplicates, 2);
  EXPECT_TRUE(result.overlaps.empty());
}

TEST_F(CheckTest, FindsImagesThatAreInTwoSets) {
  const Benchmark benchmark = made_benchmark(10, 4, 3, 2);  // train: 0-9, test: 10-13, near/x: 14-16, far/y: 17-18
  write("images/test_x/0001.png", made_png(12));            // in-distribution test image 2
  write("images/test_made/0003.png", made_png(5));          // training image
  write("images/test_y/0000.png", made_png(14));            // near image 0
  const DataCheck result = check(benchmark);
  EXPECT_TRUE(result.ok) << "an overlap is a warning";
  ASSERT_EQ(result.overlaps.size(), 3U);
  EXPECT_EQ(result.overlaps[0].first, "train");
  EXPECT_EQ(result.overlaps[0].second, "test");
  EXPECT_TRUE(result.overlaps[0].leak);
  EXPECT_EQ(result.overlaps[1].first, "test");
  EXPECT_EQ(result.overlaps[1].second, "near/x");
  EXPECT_TRUE(result.overlaps[1].leak);
  EXPECT_EQ(result.overlaps[1].images, 1);
  EXPECT_NE(result.overlaps[1].example.find("test_x/0001.png"), std::string::npos) << result.overlaps[1].example;
  EXPECT_EQ(result.overlaps[2].second, "far/y");
  EXPECT_FALSE(result.overlaps[2].leak) << "two OOD sets";
}

TEST_F(CheckTest, ContentIsWhatTheNetworkSees) {
  const Benchmark benchmark = made_benchmark(4, 2, 2, 2);
  // 8 x 12 with the pixels of image 0 in its centre: the crop makes it the same.
  std::vector<std::uint8_t> tall(8 * 12 * 3, 77);
  const std::vector<std::uint8_t> inner = made_pixels(0);
  std::copy(inner.begin(), inner.end(), tall.begin() + 2 * 8 * 3);
  const std::vector<std::uint8_t> file = encode_png({.width = 8, .height = 12, .bytes = tall});
  write("images/test_x/0000.png", {reinterpret_cast<const char*>(file.data()), file.size()});
  const DataCheck result = check(benchmark);
  ASSERT_EQ(result.overlaps.size(), 1U);
  EXPECT_EQ(result.overlaps[0].second, "near/x");
}

TEST_F(CheckTest, DoesNotDependOnThreads) {
  const Benchmark benchmark = made_benchmark(60, 30, 20, 10);
  write("images/train_made/0040.png", "no image");
  write("images/test_x/0001.png", made_png(3));
  options_.threads = 1;
  const std::string one = check_json(check(benchmark));
  options_.threads = 7;
  EXPECT_EQ(check_json(check(benchmark)), one);
}

TEST_F(CheckTest, APackedCopyIsComparedWithTheFiles) {
  const Benchmark benchmark = made_benchmark(10, 4, 0, 0);
  pack_set(benchmark, "train", options_, {.chunk_images = 3, .progress = {}, .should_stop = {}});
  EXPECT_TRUE(check(benchmark).ok);
  write("images/train_made/0004.png", made_png(400));
  const DataCheck result = check(benchmark);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(set(result, "train").stale, 1);
  EXPECT_NE(result.first_problem.find("train_made.txt:5: "), std::string::npos) << result.first_problem;
  remove("images/train_made/0004.png");
  EXPECT_EQ(set(check(benchmark), "train").missing, 1);
}

TEST_F(CheckTest, ALimitLooksAtFewerAndDoesNotAskForClasses) {
  const Benchmark benchmark = made_benchmark(10, 4, 3, 2);
  options_.limit = 1;
  const DataCheck result = check(benchmark);
  EXPECT_TRUE(result.ok) << result.first_problem;
  EXPECT_EQ(set(result, "train").checked, 1);
  EXPECT_EQ(set(result, "train").listed, 10);
}

TEST_F(CheckTest, GeneratedSetsCanBeChecked) {
  const Benchmark benchmark = load_benchmark(write("g.toml", R"(classes = ["a", "b"]
[image]
height = 6
width = 6
mean = [0.5]
std = [0.2]
[source.g]
type = "shapes"
pattern = "gratings"
kinds = 2
size = 20
[source.n]
type = "noise"
seed = 3
size = 5
[[set]]
name = "train"
source = "g"
classes = [0, 1]
first_per_class = 4
count = 8
[[set]]
name = "test"
source = "g"
classes = [0, 1]
skip_per_class = 4
count = 12
[[set]]
name = "control/noise"
source = "n"
count = 5
)")
                                                 .string(),
                                             {});
  const DataCheck result = check(benchmark);
  EXPECT_TRUE(result.ok) << check_text(result);
  EXPECT_EQ(set(result, "test").listed, 12);
  EXPECT_EQ(set(result, "test").classes_present, 2);
}

TEST_F(CheckTest, BothFormsTellTheWholeStory) {
  const Benchmark benchmark = made_benchmark(10, 4, 3, 2);
  for (int i = 0; i < 7; ++i) remove(fmt::format("images/train_made/{:04}.png", i));
  write("images/test_x/0001.png", made_png(12));
  const DataCheck result = check(benchmark);
  const std::string text = check_text(result);
  EXPECT_NE(text.find("train: and 2 more"), std::string::npos) << text;
  EXPECT_NE(text.find("warning: 1 images of near/x are in test too"), std::string::npos) << text;
  EXPECT_NE(text.find("not as the benchmark says"), std::string::npos) << text;
  const auto document = nlohmann::json::parse(check_json(result));
  EXPECT_FALSE(document.at("ok").get<bool>());
  EXPECT_EQ(document.at("sets").at(0).at("missing"), 7);
  EXPECT_EQ(document.at("overlaps").at(0).at("leak"), true);
}

}  // namespace
}  // namespace nearfar
