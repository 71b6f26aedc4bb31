#include "config/recipe.h"

#include "config_files.h"
#include "support/golden.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace nearfar {
namespace {

using nlohmann::json;
using RecipeTest = testing::ConfigFiles;

/// No field as it starts.
TrainRecipe other_recipe() {
  return {.epochs = 11,
          .batch_size = 3,
          .learning_rate = 1.0 / 3,
          .momentum = 0.5,
          .weight_decay = 0,
          .nesterov = false,
          .warmup_fraction = 0,
          .final_lr = 1,
          .shift = 2,
          .flip = true,
          .smallest_crop = 0.25,
          .brightness = 0.5,
          .contrast = 0.25,
          .saturation = 0.125,
          .hue = 0.375,
          .jitter_share = 0.75,
          .gray_share = 0.25,
          .projection = "linear",
          .embedding_dim = 8,
          .dtype = "bfloat16",
          .optimizer = "adamw",
          .beta1 = 0.5,
          .beta2 = 0.75,
          .epsilon = 1e-3,
          .decay = "weights",
          .schedule = "multi-step",
          .final_fraction = 0.5,
          .milestones = "3 7",
          .gamma = 0.5,
          .warmup = "epochs",
          .warmup_epochs = 2,
          .warmup_lr = 0.25,
          .accumulate = 2,
          .sync_bn = true,
          .clip_norm = 1,
          .label_smoothing = 0.125,
          .ema_decay = 0.5,
          .start = "checkpoint",
          .trainable = "head",
          .images = "files",
          .short_side = 128,
          .exact_decoding = true,
          .checkpoint_every_epochs = 0,
          .checkpoint_every_minutes = 1,
          .keep_checkpoints = 3,
          .stream = "always"};
}

std::string internal_error(const json& object) {
  try {
    recipe_from_json(object);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(RecipeJson, ReadsBackWhatItWrote) {
  EXPECT_EQ(recipe_from_json(json::parse(recipe_to_json(other_recipe()).dump())), other_recipe());
  EXPECT_EQ(recipe_from_json(recipe_to_json({})), TrainRecipe{});
}

TEST(RecipeJson, NamesAFieldThatIsMissingUnknownOrMistyped) {
  json object = recipe_to_json({});
  object.erase("momentum");
  EXPECT_EQ(internal_error(object), "a training recipe in JSON lacks 'momentum'");
  object = recipe_to_json({});
  object["ema"] = 0.9;
  EXPECT_EQ(internal_error(object), "a training recipe in JSON has a field 'ema' that this version does not know");
  object = recipe_to_json({});
  object["epochs"] = 1.5;
  EXPECT_EQ(internal_error(object), "a training recipe in JSON has 'epochs' of the type number");
  EXPECT_EQ(internal_error(json::array()), "a training recipe in JSON is of the type array, expected an object");
}

// Frozen: a line that changes here retrains every cell that anybody has.
TEST(RecipeIdentity, LeavesOutWhatIsAtItsFrozenDefault) {
  const TrainRecipe frozen = {.epochs = 6,
                              .batch_size = 64,
                              .learning_rate = 0.1,
                              .momentum = 0.9,
                              .weight_decay = 5e-4,
                              .nesterov = true,
                              .warmup_fraction = 0.25,
                              .final_lr = 0,
                              .shift = 0,
                              .flip = false,
                              .smallest_crop = 1,
                              .brightness = 0,
                              .contrast = 0,
                              .saturation = 0,
                              .hue = 0,
                              .jitter_share = 0.8,
                              .gray_share = 0,
                              .projection = "mlp",
                              .embedding_dim = 32,
                              .dtype = "float32",
                              .optimizer = "sgd",
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .epsilon = 1e-8,
                              .decay = "all",
                              .schedule = "cosine",
                              .final_fraction = 0,
                              .milestones = "",
                              .gamma = 0.1,
                              .warmup = "linear",
                              .warmup_epochs = 10,
                              .warmup_lr = 0.001,
                              .accumulate = 1,
                              .sync_bn = false,
                              .clip_norm = 0,
                              .label_smoothing = 0,
                              .ema_decay = 0,
                              .start = "scratch",
                              .trainable = "",
                              .images = "prepared",
                              .short_side = 256,
                              .exact_decoding = false,
                              .checkpoint_every_epochs = 1};
  EXPECT_EQ(recipe_identity(frozen), json::object());
  EXPECT_EQ(
      recipe_identity(other_recipe()).dump(),
      R"({"accumulate":2,"batch_size":3,"beta1":0.5,"beta2":0.75,"brightness":0.5,"clip_norm":1.0,"contrast":0.25,)"
      R"("decay":"weights","dtype":"bfloat16","ema_decay":0.5,"embedding_dim":8,"epochs":11,"epsilon":0.001,"exact_decoding":true,)"
      R"("final_fraction":0.5,"final_lr":1.0,"flip":true,"gamma":0.5,"gray_share":0.25,"hue":0.375,"images":"files",)"
      R"("jitter_share":0.75,"label_smoothing":0.125,"lr":0.3333333333333333,"milestones":"3 7","momentum":0.5,)"
      R"("nesterov":false,"optimizer":"adamw","projection":"linear","saturation":0.125,"schedule":"multi-step",)"
      R"("shift":2,"short_side":128,"smallest_crop":0.25,"start":"checkpoint","sync_bn":true,"trainable":"head","warmup":"epochs",)"
      R"("warmup_epochs":2,"warmup_fraction":0.0,"warmup_lr":0.25,"weight_decay":0.0})");
}

TEST(RecipeIdentity, IgnoresHowOftenItIsSaved) {
  TrainRecipe seldom;
  seldom.checkpoint_every_epochs = 100;
  EXPECT_EQ(recipe_identity(seldom), recipe_identity({}));
}

TEST(RecipeFields, AreTypedAndSayWhatIsDefault) {
  TrainRecipe recipe;
  recipe.learning_rate = 1;
  recipe.checkpoint_every_epochs = 7;
  for (const RecipeField& field : recipe_fields(recipe)) {
    EXPECT_EQ(field.is_default, field.name != "lr" && field.name != "checkpoint_every_epochs") << field.name;
    const bool of_files =
        field.name.starts_with("checkpoint_every_") || field.name == "keep_checkpoints" || field.name == "stream";
    EXPECT_EQ(field.changes_result, !of_files) << field.name;
  }
  const std::vector<RecipeField> fields = recipe_fields(recipe);
  EXPECT_EQ(fields.size(), recipe_to_json(recipe).size());
  const auto value = [&](std::string_view name) {
    return std::find_if(fields.begin(), fields.end(), [&](const RecipeField& f) { return f.name == name; })->value;
  };
  EXPECT_EQ(value("lr"), ParamValue(1.0));
  EXPECT_EQ(value("nesterov"), ParamValue(true));
  EXPECT_EQ(value("epochs"), ParamValue(std::int64_t{6}));
  EXPECT_EQ(value("projection"), ParamValue(std::string("mlp")));
}

TEST_F(RecipeTest, ReadsEveryFieldOfASection) {
  TrainRecipe recipe = other_recipe();
  recipe.shift = 0;  // not with a crop
  std::string text = "benchmark = 'smoke'\n[train]\n";
  for (const RecipeField& field : recipe_fields(recipe))
    text += field.name + " = " + recipe_to_json(recipe).at(field.name).dump() + "\n";
  EXPECT_EQ(load(text).train, recipe);
}

TEST_F(RecipeTest, RefusesWhatCannotBeTrainedWithWhereItIsWritten) {
  const auto refused = [&](const std::string& line) { return refusal("benchmark = 'smoke'\n[train]\n" + line + "\n"); };
  EXPECT_EQ(refused("lr = 0"), "experiment.toml:3:6: 'lr' in [train] takes a number above 0, at most 1000000, found 0");
  EXPECT_EQ(refused("momentum = 1"),
            "experiment.toml:3:12: 'momentum' in [train] takes a number of at least 0, below 1, found 1");
  EXPECT_EQ(refused("batch_size = 1"),
            "experiment.toml:3:14: 'batch_size' in [train] takes an integer from 2 to 1000000, found integer 1");
  EXPECT_EQ(refused("projection = 'linaer'"),
            "experiment.toml:3:14: 'projection' in [train] takes mlp or linear, found linaer; did you mean 'linear'?");
  EXPECT_EQ(refused("momentum = 0\nnesterov = true"),
            "experiment.toml:4:12: 'nesterov' in [train] needs a momentum above 0");
  EXPECT_EQ(refused("schedule = 'multi-step'\nmilestones = '60 50'"),
            "experiment.toml:4:14: 'milestones' in [train] takes epochs in ascending order with spaces between, as "
            "\"60 75 90\", found 60 50");
  EXPECT_EQ(refused("shift = 4\nsmallest_crop = 0.2"),
            "experiment.toml:3:9: 'shift' in [train] is for images that are not cropped: set it to 0, or "
            "`smallest_crop` to 1");
  EXPECT_EQ(refused("milestones = '60'"),
            "experiment.toml:3:14: 'milestones' in [train] is for schedule = \"multi-step\"");
  EXPECT_NE(refused("schedule = 'multi-step'").find("must be there with schedule = \"multi-step\""), std::string::npos);
  EXPECT_NE(refused("trainable = 'head  backbone'").find("found head  backbone"), std::string::npos);
}

TEST(RecipeWords, AreRead) {
  TrainRecipe recipe;
  EXPECT_TRUE(is_trainable(recipe, "backbone.conv1.weight"));
  recipe.trainable = "backbone.layer4 head";
  EXPECT_TRUE(is_trainable(recipe, "head.0.weight"));
  EXPECT_TRUE(is_trainable(recipe, "backbone.layer4.1.bn2.bias"));
  EXPECT_FALSE(is_trainable(recipe, "backbone.layer3.1.bn2.bias"));
  EXPECT_TRUE(milestones(recipe).empty());
  recipe.milestones = "60 75 90";
  EXPECT_EQ(milestones(recipe), (std::vector<std::int64_t>{60, 75, 90}));
}

TEST(RecipeProblem, NamesTheFieldForTheTrainerToo) {
  EXPECT_FALSE(recipe_problem({}).has_value());
  TrainRecipe recipe;
  recipe.learning_rate = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(recipe_problem(recipe)->field, "lr");
  recipe = {};
  recipe.batch_size = 1;
  EXPECT_EQ(recipe_problem(recipe)->message, "takes an integer from 2 to 1000000, found 1");
  recipe = {};
  recipe.images = "short-side";
  EXPECT_EQ(recipe_problem(recipe)->field, "images");  // what crops are cut from, and there are none
  recipe.smallest_crop = 0.5;
  EXPECT_FALSE(recipe_problem(recipe).has_value());
  recipe.stream = "never";
  EXPECT_EQ(recipe_problem(recipe)->field, "stream");
}

TEST(RecipeDocument, HasTheTableOfFields) {
  const std::filesystem::path file = testing::source_dir() / "docs/recipes.md";
  std::string table = "| key | starts as | takes | what it is |\n|---|---|---|---|\n";
  for (const RecipeRow& row : recipe_rows())
    table += fmt::format("| `{}` | {} | {} | {} |\n", row.name, row.default_text, row.range, row.help);
  const std::string text = read_file(file);
  const std::size_t begin = text.find("| key |"), end = text.find("\n\n", begin) + 1;
  ASSERT_NE(begin, std::string::npos);
  const std::string renewed = text.substr(0, begin) + table + text.substr(end);
  if (std::getenv("NEARFAR_RENEW_DOCS") != nullptr) write_file_atomic(file, renewed);
  EXPECT_EQ(read_file(file), renewed)
      << "to write it: NEARFAR_RENEW_DOCS=1 config_test --gtest_filter=RecipeDocument.*";
}

}  // namespace
}  // namespace nearfar
