#include "host/params.h"

#include "expect_error.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

ParamSchema schema() {
  return {{.name = "k", .type = ParamType::integer, .default_value = std::int64_t{50}, .minimum = 1, .maximum = 1000},
          {.name = "temperature", .type = ParamType::number, .default_value = 0.1, .minimum = 0.001, .maximum = 1000},
          {.name = "normalize", .type = ParamType::boolean, .default_value = false},
          {.name = "metric",
           .type = ParamType::text,
           .default_value = std::string("inner"),
           .choices = {"inner", "cosine"}},
          {.name = "picks", .type = ParamType::file, .default_value = std::string()}};
}

TEST(Validate, FillsInDefaults) {
  const Params params = validate(schema(), {}, "test");
  EXPECT_EQ(params.integer("k"), 50);
  EXPECT_DOUBLE_EQ(params.number("temperature"), 0.1);
  EXPECT_FALSE(params.boolean("normalize"));
  EXPECT_EQ(params.text("metric"), "inner");
}

TEST(Validate, TakesAnIntegerForANumber) {
  EXPECT_DOUBLE_EQ(validate(schema(), {{"temperature", std::int64_t{2}}}, "test").number("temperature"), 2.0);
}

TEST(Validate, TakesAWholeNumberForAnInteger) {
  EXPECT_EQ(validate(schema(), {{"k", 7.0}}, "test").integer("k"), 7);
  EXPECT_ERROR(validate(schema(), {{"k", 7.5}}, "test"), ErrorKind::config, "'k' is 7.5", "an integer from 1 to 1000");
  EXPECT_ERROR(validate(schema(), {{"k", 1e300}}, "test"), ErrorKind::config, "'k' is 1e+300");
}

TEST(Validate, NamesTheUnknownParameterAndTheNearest) {
  EXPECT_ERROR(validate(schema(), {{"temprature", 1.0}}, "a.toml:14: postprocessor 'ebo'"), ErrorKind::config,
               "a.toml:14: postprocessor 'ebo': unknown parameter 'temprature'", "did you mean 'temperature'",
               "k, temperature, normalize");
  EXPECT_ERROR(validate({}, {{"k", true}}, "test"), ErrorKind::config, "it has no parameters");
}

TEST(Validate, RefusesValuesOutOfRange) {
  EXPECT_ERROR(validate(schema(), {{"k", std::int64_t{0}}}, "test"), ErrorKind::config, "'k' is 0", "from 1 to 1000");
  EXPECT_ERROR(validate(schema(), {{"temperature", 1e9}}, "test"), ErrorKind::config, "a number from 0.001 to 1000");
  EXPECT_ERROR(validate(schema(), {{"temperature", std::numeric_limits<double>::quiet_NaN()}}, "test"),
               ErrorKind::config, "'temperature' is nan");
}

TEST(Validate, RefusesOtherTypesAndChoices) {
  EXPECT_ERROR(validate(schema(), {{"normalize", std::int64_t{1}}}, "test"), ErrorKind::config, "true or false");
  EXPECT_ERROR(validate(schema(), {{"k", std::string("many")}}, "test"), ErrorKind::config, "'k' is 'many'");
  EXPECT_ERROR(validate(schema(), {{"metric", std::string("l2")}}, "test"), ErrorKind::config, "'metric' is 'l2'",
               "inner, cosine");
  EXPECT_ERROR(validate(schema(), {{"picks", std::string("a;b")}}, "test"), ErrorKind::config,
               "the path of a file, without ';'");
  EXPECT_ERROR(validate(schema(), {{"picks", true}}, "test"), ErrorKind::config, "'picks' is true");
}

TEST(ParamsFromText, ReadsByTheSchemasTypes) {
  const std::vector<std::string> given{"k=7", "temperature=2", "normalize=true", "metric=cosine", "picks=a=b.npy"};
  const ParamMap read = params_from_text(schema(), given, "test");
  EXPECT_EQ(read.at("k"), ParamValue(std::int64_t{7}));
  EXPECT_EQ(read.at("temperature"), ParamValue(2.0));
  EXPECT_EQ(read.at("normalize"), ParamValue(true));
  EXPECT_EQ(read.at("metric"), ParamValue(std::string("cosine")));
  EXPECT_EQ(read.at("picks"), ParamValue(std::string("a=b.npy")));
}

TEST(ParamsFromText, RefusesWhatItCannotRead) {
  const auto read = [](std::vector<std::string> given) { return params_from_text(schema(), given, "score knn"); };
  EXPECT_ERROR(read({"k"}), ErrorKind::config, "score knn: 'k' has no '='");
  EXPECT_ERROR(read({"k=5", "k=6"}), ErrorKind::config, "given twice");
  EXPECT_ERROR(read({"k=5x"}), ErrorKind::config, "'k' is '5x'", "an integer from 1 to 1000");
  EXPECT_ERROR(read({"normalize=yes"}), ErrorKind::config, "true or false");
  EXPECT_ERROR(read({"K=5"}), ErrorKind::config, "unknown parameter 'K'");
  EXPECT_ERROR(read({"k=5000"}), ErrorKind::config, "from 1 to 1000");
}

TEST(CanonicalParams, AreSortedAndReadBack) {
  const ParamMap values{{"temperature", 0.25}, {"k", std::int64_t{7}}, {"normalize", true}};
  EXPECT_EQ(canonical_params(values), "k=7;normalize=true;temperature=0.25");
  EXPECT_EQ(canonical_params({}), "");
  EXPECT_EQ(params_from_text(schema(), std::vector<std::string>{"k=7", "normalize=true", "temperature=0.25"}, "test"),
            values);
}

TEST(NonDefaultParams, LeavesTheDefaultsOut) {
  EXPECT_TRUE(non_default_params(schema(), validate(schema(), {}, "test").values()).empty());
  const ParamMap changed = non_default_params(schema(), validate(schema(), {{"k", std::int64_t{7}}}, "test").values());
  EXPECT_EQ(canonical_params(changed), "k=7");
}

}  // namespace
}  // namespace nearfar
