// Methods that look inside the network, on real ones: rows are independent of the batch, and OpenOOD's own scores of
// images.
#include "base/files.h"
#include "features/network_pass.h"
#include "golden_features.h"
#include "linear_network.h"
#include "models/images.h"
#include "models/import.h"
#include "pixels/preprocess.h"

#include <ATen/ops/isfinite.h>

#include <fstream>
#include <map>

namespace nearfar::testing {
namespace {

using I = std::int64_t;
constexpr const char* kMethods[] = {"odin", "iodin", "mds-ensemble", "gram", "rankfeat", "adascale-a", "adascale-l"};

/// [N] scores of images in batches of `step`.
at::Tensor scores(PostprocessorHandle& scorer, NetworkPass& pass, const at::Tensor& images, I step) {
  at::Tensor result = images.new_empty({images.size(0)});
  for (I first = 0; first < images.size(0); first += step) {
    const I count = std::min(step, images.size(0) - first);
    const auto batch = pass.run(images.narrow(0, first, count));
    result.narrow(0, first, count).copy_(score_of(scorer, *batch));
  }
  return result;
}

TEST(NetworkScores, RowsAreIndependentAndFinite) {
  const auto network = make_network({.architecture = "resnet8", .classes = 3}, 7);
  const at::Tensor train = at::randn({12, 1, 28, 28}), test = at::randn({4, 1, 28, 28});
  const at::Tensor huge = test.mul(1e4);
  for (const char* name : kMethods) {
    SCOPED_TRACE(name);
    PostprocessorHandle scorer = postprocessor(name);
    NetworkPass pass(*network, scorer.needs(), {0.5});
    std::vector<I> y;
    for (I i = 0; i < 12; ++i) y.push_back(i % 3);
    const auto fitted = pass.run(train);
    fit(scorer, *fitted, labels(y), network->head(), 3);
    const at::Tensor whole = scores(scorer, pass, test, 4);
    // A gradient near zero has another sign in another batch, and with it one pixel value of the step.
    EXPECT_LE(relative_difference(scores(scorer, pass, test, 1), whole), 2e-3);
    EXPECT_LE(relative_difference(scores(scorer, pass, test, 3), whole), 2e-3);
    EXPECT_TRUE(at::isfinite(scores(scorer, pass, huge, 4)).all().item<bool>());
    EXPECT_TRUE(at::isfinite(scores(scorer, pass, test.mul(0), 4)).all().item<bool>());
  }
}

/// The first images of a list of golden/openood-b as its networks see them.
at::Tensor golden_images(const std::filesystem::path& data, const std::string& list, std::size_t count) {
  ImagePipeline pipeline({.resize = Preprocess::Resize::shorter_side, .side = 32, .height = 32, .width = 32});
  constexpr std::size_t kBytes = 32 * 32 * 3;
  std::vector<std::uint8_t> bytes(count * kBytes);
  std::ifstream lines(data / "benchmark_imglist/cifar10" / list);
  std::string line;
  for (std::size_t i = 0; i < count && std::getline(lines, line); ++i) {
    const std::string file = read_file(data / "images_classic" / line.substr(0, line.rfind(' ')));
    pipeline.run(std::span(reinterpret_cast<const std::uint8_t*>(file.data()), file.size()),
                 std::span(bytes).subspan(i * kBytes, kBytes));
  }
  const std::vector<I> none(count, 0);
  const ImageView view{bytes, none, static_cast<I>(count),    3,
                       32,    32,   {0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}};
  return test_batch(view, 0, static_cast<I>(count));
}

/// What needs no fit, on the first 24 test images. Scores differ by the signs of gradients near zero, which are noise
/// on both sides.
TEST(NetworkScores, AreOpenOodsOnImages) {
  const auto data = golden("openood-b/data"), best = golden("openood-b/best.ckpt"),
             expected = golden("openood-b/expected");
  if (!data || !best || !expected) GTEST_SKIP() << "no golden openood-b; set NEARFAR_GOLDEN";
  constexpr I kCount = 24, kTestOffset = 450;
  const at::Tensor images = golden_images(*data, "test_cifar10.txt", kCount);
  const auto network = network_of(
      import_weights(*best, {.architecture = "resnet18_32x32", .mappings = source_dir() / "configs/models"}));
  for (const auto& [name, params] : std::map<std::string, ParamMap>{
           {"odin", {{"temperature", 1.0}}}, {"iodin", {{"temperature", 1.0}}}, {"rankfeat", {}}}) {
    PostprocessorHandle scorer = postprocessor(name, params);
    NetworkPass pass(*network, scorer.needs(), {0.2470, 0.2435, 0.2616});
    const at::Tensor found = scores(scorer, pass, images, 12);
    const at::Tensor wanted = tensor(*expected / (name + ".main.conf.npy")).narrow(0, kTestOffset, kCount).neg();
    const double worst = relative_difference(found, wanted);
    RecordProperty(name, std::to_string(worst));
    EXPECT_LE(worst, 1e-4) << name;
    EXPECT_EQ(pass.counts().forward, kCount);
    EXPECT_EQ(pass.counts().gradients, name == "rankfeat" ? 0 : kCount);
  }
}

}  // namespace
}  // namespace nearfar::testing
