#include "host/description.h"

#include "expect_error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <limits>

namespace nearfar {
namespace {

using nlohmann::json;

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
      {.name = "on", .type = ParamType::boolean, .default_value = true, .minimum = 0, .maximum = 1},
      {.name = "picks", .type = ParamType::file, .default_value = std::string()}};
  description.sweep = {{{"k", {std::int64_t{5}, std::int64_t{6}}}}};
  description.tuned = true;
  description.build_tag = {"2.11.0", "1", "gcc-12", "202002L", "abc"};
  description.traits = LossTraitsText{2, "embedding", true, true, false, true};
  return description;
}

TEST(DescriptionJson, HasTheFieldsOfTheHeader) {
  const json document = description_to_json(example());
  EXPECT_EQ(document.at("name"), "supcon");
  EXPECT_EQ(document.at("params").at(0).dump(),
            R"({"default":50,"help":"which","maximum":9,"minimum":1,"name":"k","type":"integer"})");
  EXPECT_TRUE(document.at("params").at(1).at("maximum").is_null());
  EXPECT_EQ(document.at("params").at(4).dump(), R"({"default":"","help":"","name":"picks","type":"file"})");
  EXPECT_EQ(document.at("traits").dump(),
            R"({"head":"embedding","normalized_embedding":true,"takes_soft_targets":false,"views":2,)"
            R"("wants_auxiliary":true,"wants_features":true})");
}

TEST(DescriptionJson, ReadsBackEqual) {
  const PluginDescription read = description_from_json(json::parse(description_to_json(example()).dump()));
  EXPECT_EQ(description_to_json(read), description_to_json(example()));
  EXPECT_EQ(read.params.at(1).maximum, std::numeric_limits<double>::infinity());
  EXPECT_EQ(read.params.at(4).type, ParamType::file);
  EXPECT_EQ(read.sweep, example().sweep);
  EXPECT_EQ(read.traits, example().traits);
  EXPECT_TRUE(read.tuned);
  EXPECT_TRUE(read.needs_one("train"));
  EXPECT_FALSE(read.needs_one("features"));
}

TEST(DescriptionJson, SurvivesTextThatIsNotUtf8) {
  PluginDescription description = example();
  description.summary = "\xff\xfe";
  const std::string sent = description_to_json(description).dump(-1, ' ', false, json::error_handler_t::replace);
  EXPECT_NO_THROW(description_from_json(json::parse(sent)));
}

TEST(DescriptionFromJson, RefusesOtherDocuments) {
  EXPECT_ERROR(description_from_json(json::array()), ErrorKind::plugin, "not a plugin description");
  EXPECT_ERROR(description_from_json({{"kind", "loss"}}), ErrorKind::plugin, "not a plugin description");
}

}  // namespace
}  // namespace nearfar
