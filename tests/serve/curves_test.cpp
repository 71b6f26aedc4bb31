#include "serve/curves.h"

#include "serve/pages.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace nearfar {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Curves, AreByNameAndInStepOrder) {
  Outcome outcome;
  outcome.curve = {{"loss", 1, 0.5}, {"lr", 0, 0.1}, {"loss", 0, 1.0}};
  const std::vector<Curve> curves = curves_of(outcome);
  ASSERT_EQ(curves.size(), 2U);
  EXPECT_EQ(curves[0].name, "loss");
  EXPECT_EQ(curves[0].points[0].step, 0);
  EXPECT_EQ(curves[1].points.size(), 1U);
}

TEST(Curves, ChartIsOverEpochsFromOne) {
  const std::string svg = curve_svg({"train_loss", {{"train_loss", 0, 2}, {"train_loss", 1, 1}, {"train_loss", 2, 0}}});
  EXPECT_THAT(svg, HasSubstr("<title>train_loss</title>"));
  EXPECT_THAT(svg, HasSubstr("from 2 at 1 to 0 at 3"));
}

TEST(Curves, ChartEscapesNamesAndBearsWhatIsNoNumber) {
  const std::string svg = curve_svg({"<script>&\"", {{"x", 0, 1}, {"x", 1, std::nan("")}, {"x", 2, INFINITY}}});
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;&amp;"));
  EXPECT_THAT(curve_svg({}), HasSubstr("<svg"));
}

TEST(Curves, JsonSaysWhyThereAreNone) {
  CellDetails details;
  details.status.kind = CellKind::train;
  details.status.state = CellState::running;
  EXPECT_THAT(nlohmann::json::parse(curves_json(details))["note"].get<std::string>(), HasSubstr("has ended"));
  details.status.state = CellState::ok;
  details.outcome.curve = {{"loss", 0, 1.5}};
  const auto document = nlohmann::json::parse(curves_json(details));
  EXPECT_EQ(document["note"], "");
  EXPECT_EQ(document["curves"][0]["points"][0], nlohmann::json({0, 1.5}));
}

TEST(PolicyHash, IsTheBase64OfTheSha256) {
  // printf '' | openssl dgst -sha256 -binary | base64, and the same of "alert('Hello, world.');" (the example of CSP 3)
  EXPECT_EQ(policy_hash(""), "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");
  EXPECT_EQ(policy_hash("alert('Hello, world.');"), "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='");
}

}  // namespace
}  // namespace nearfar
