#include "config/params_json.h"

#include "base/error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

namespace nearfar {
namespace {

using nlohmann::json;

/// As a message carries them: through text.
ParamMap sent(const ParamMap& params) { return params_from_json(json::parse(params_to_json(params).dump())); }

TEST(ParamsJson, KeepsTypes) {
  const ParamMap params = {{"b", true}, {"i", std::int64_t{3}}, {"d", 3.0}, {"t", std::string("inf")}};
  EXPECT_EQ(sent(params), params);
  EXPECT_EQ(params_to_json(params).dump(), R"({"b":true,"d":3.0,"i":3,"t":"inf"})");
}

TEST(ParamsJson, KeepsNumbersThatJsonLacks) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const ParamMap params = {{"high", kInfinity}, {"low", -kInfinity}};
  EXPECT_EQ(sent(params), params);
  EXPECT_TRUE(std::isnan(std::get<double>(sent({{"x", std::numeric_limits<double>::quiet_NaN()}}).at("x"))));
}

TEST(ParamsJson, RefusesAnythingElse) {
  EXPECT_THROW(params_from_json({{"a", {1}}}), Error);
  EXPECT_THROW(params_from_json({{"a", nullptr}}), Error);
  EXPECT_THROW(params_from_json({{"a", {{"number", "many"}}}}), Error);
  EXPECT_THROW(params_from_json(json::array()), Error);
}

}  // namespace
}  // namespace nearfar
