#include "host/description.h"

#include "expect_error.h"

#include <gtest/gtest.h>

#include <limits>

namespace nearfar {
namespace {

PluginDescription example() {
  PluginDescription description;
  description.path = "lib/knn.so";
  description.kind = "loss";
  description.name = "supcon";
  description.version = "1.0.0";
  description.summary = "a \"quoted\" line";
  description.needs = {"logits", "train"};
  description.params = {
      {.name = "k",
       .type = ParamType::integer,
       .default_value = std::int64_t{50},
       .minimum = 1,
       .maximum = 9,
       .help = "which"},
      {.name = "t",
       .type = ParamType::number,
       .default_value = 0.5,
       .minimum = 0,
       .maximum = std::numeric_limits<double>::infinity()},
      {.name = "m", .type = ParamType::text, .default_value = std::string("a"), .choices = {"a", "b"}},
      {.name = "on", .type = ParamType::boolean, .default_value = true, .minimum = 0, .maximum = 1}};
  description.sweep = {{{"k", {std::int64_t{5}, std::int64_t{6}}}}};
  description.tuned = true;
  description.build_tag = {"2.11.0", "1", "gcc-12", "202002L", "abc"};
  description.traits = LossTraitsText{2, "embedding", true};
  return description;
}

TEST(DescriptionJson, IsOneLineWithTheFieldsInOrder) {
  const std::string json = description_json(example());
  EXPECT_EQ(json.find("{\"kind\":\"loss\",\"name\":\"supcon\",\"version\":\"1.0.0\""), 0u) << json;
  EXPECT_NE(json.find(R"({"name":"k","type":"integer","default":50,"minimum":1,"maximum":9,"help":"which"})"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("maximum":null)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("traits":{"views":2,"head":"embedding","normalized_embedding":true})"), std::string::npos)
      << json;
  EXPECT_EQ(json.find('\n'), std::string::npos);
}

TEST(DescriptionJson, ReadsBackEqual) {
  const PluginDescription read = description_from_json(description_json(example()));
  EXPECT_EQ(description_json(read), description_json(example()));
  EXPECT_EQ(read.params.at(1).maximum, std::numeric_limits<double>::infinity());
  EXPECT_EQ(read.sweep, example().sweep);
  EXPECT_TRUE(read.tuned);
  EXPECT_TRUE(read.needs_one("train"));
  EXPECT_FALSE(read.needs_one("features"));
}

TEST(DescriptionJson, SurvivesTextThatIsNotUtf8) {
  PluginDescription description = example();
  description.summary = "\xff\xfe";
  EXPECT_NO_THROW(description_from_json(description_json(description)));
}

TEST(DescriptionFromJson, RefusesOtherDocuments) {
  EXPECT_ERROR(description_from_json("{"), ErrorKind::plugin, "not a plugin description");
  EXPECT_ERROR(description_from_json("{\"kind\":\"loss\"}"), ErrorKind::plugin, "not a plugin description");
}

}  // namespace
}  // namespace nearfar
