/// What is drawn has the distributions of torchvision (tools/make_crop_golden.py): means of values and of squares, each
/// within five standard errors of the two samples.
#include "base/files.h"
#include "kernels/augment_body.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <functional>
#include <map>
#include <string>

namespace nearfar {
namespace {

using augmentation::Draw;
using nlohmann::json;
using Row = std::map<std::string, double>;

constexpr std::uint64_t kDraws = 100'000;

json golden() { return json::parse(read_file(testing::source_dir() / "tests/golden/kernels/draws.json")); }

void compare(const json& moments, double their_draws, const AugmentJob& job,
             const std::function<Row(const Draw&)>& row_of) {
  Row sums;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    for (const auto& [name, value] : row_of(augmentation::draw(job, {5, 1, i % 2, i / 2}))) {
      sums[name] += value;
      sums[name + "^2"] += value * value;
    }
  }
  ASSERT_EQ(sums.size(), moments.size());
  for (const auto& [name, sum] : sums) {
    const double mean = moments.at(name).at(0), deviation = moments.at(name).at(1);
    const double error = deviation * std::sqrt(1.0 / static_cast<double>(kDraws) + 1 / their_draws);
    EXPECT_NEAR(sum / static_cast<double>(kDraws), mean, 5 * error + 1e-9)
        << name << " of " << job.height << " x " << job.width;
  }
}

TEST(Draws, CropsAreDistributedAsTorchvisions) {
  const json all = golden();
  for (const json& one : all.at("crops")) {
    AugmentJob job{.height = one.at("height"), .width = one.at("width"), .channels = 3};
    job.smallest_crop = one.at("smallest").get<float>();
    const double height = job.height, width = job.width;
    // The fall-back, by hand: the whole side, or what 4 : 3 leaves, in the middle.
    const double h = height * 3 > width * 4 ? std::round(width * 4 / 3) : height;
    const double w = width * 3 > height * 4 ? std::round(height * 4 / 3) : width;
    compare(one.at("moments"), all.at("draws"), job, [&](const Draw& d) {
      const bool fell_back = d.height == h && d.width == w && d.top == std::floor((height - h) / 2) &&
                             d.left == std::floor((width - w) / 2);
      return Row{{"share", d.height * d.width / (height * width)},
                 {"log_ratio", std::log(static_cast<double>(d.width) / d.height)},
                 {"top", (d.top + d.height / 2.0) / height},
                 {"left", (d.left + d.width / 2.0) / width},
                 {"fall_back", fell_back ? 1.0 : 0.0}};
    });
  }
}

TEST(Draws, JitterIsDistributedAsTorchvisions) {
  const json all = golden();
  const json& strengths = all.at("jitter").at("strengths");
  AugmentJob job{.height = 8, .width = 8, .channels = 3, .smallest_crop = 1};
  job.brightness = strengths.at(0), job.contrast = strengths.at(1), job.saturation = strengths.at(2);
  job.hue = strengths.at(3);
  job.jitter_share = 1;
  compare(all.at("jitter").at("moments"), all.at("draws"), job, [&](const Draw& d) {
    Row row{{"brightness", d.brightness}, {"contrast", d.contrast}, {"saturation", d.saturation}};
    for (int place = 0; place < 4; ++place) row["place_" + std::to_string(d.order[place])] = place;
    row["hue"] = d.turn;
    return row;
  });
}

}  // namespace
}  // namespace nearfar
