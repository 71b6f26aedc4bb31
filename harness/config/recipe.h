#pragma once
/// How a network is trained. TrainRecipe is plain data; everything else here follows from the one table of fields in
/// recipe.cpp: the keys of [train], their ranges, what identifies a cell, messages, what the store keeps, the table in
/// docs/recipes.md. Pure functions, safe from any thread. Torch-free.
///
/// To add a field: a member here, a row in the table of recipe.cpp, and the table of docs/recipes.md (the test
/// RecipeDocument says how). The row's identity default is the value that means "as before the field was there". It is
/// frozen with the release that brings the field: cells that were trained without the field keep their keys, since a
/// field at its identity default is no part of an identity. Changing what TrainRecipe{} starts with is another matter
/// and always allowed: then the new value is in the identity.
#include <nearfar/params.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct Value;  // config/document.h

/// What each field means and may be: see docs/recipes.md; the rates of a training: train/schedule.h.
struct TrainRecipe {
  std::int64_t epochs = 6;
  std::int64_t batch_size = 64;
  double learning_rate = 0.1;  ///< key `lr`
  double momentum = 0.9;
  double weight_decay = 5e-4;
  bool nesterov = true;
  double warmup_fraction = 0.25;
  double final_lr = 0;
  std::int64_t shift = 0;
  bool flip = false;
  double smallest_crop = 1;
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  double jitter_share = 0.8;
  double gray_share = 0;
  std::string projection = "mlp";
  std::int64_t embedding_dim = 32;
  std::string dtype = "float32";
  std::string optimizer = "sgd";
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  std::string decay = "all";
  std::string schedule = "cosine";
  double final_fraction = 0;
  std::string milestones = "";
  double gamma = 0.1;
  std::string warmup = "linear";
  std::int64_t warmup_epochs = 10;
  double warmup_lr = 0.001;
  std::int64_t accumulate = 1;
  bool sync_bn = false;
  double clip_norm = 0;
  double label_smoothing = 0;
  double ema_decay = 0;
  std::string start = "scratch";
  std::string trainable = "";
  std::string images = "prepared";
  std::int64_t short_side = 256;
  bool exact_decoding = false;
  // These do not change the result.
  std::int64_t checkpoint_every_epochs = 1;
  double checkpoint_every_minutes = 10;
  std::int64_t keep_checkpoints = 2;
  std::string stream = "auto";

  bool operator==(const TrainRecipe&) const = default;
};

/// The keys of a section on top of `recipe`; nullptr is an empty section. `name` as in messages: "[train]". Throws
/// Error(config) "file:line:column: …" for an unknown key, a wrong type and whatever recipe_problem() finds.
TrainRecipe read_recipe(const Value* table, const std::string& name, TrainRecipe recipe);

struct RecipeProblem {
  std::string field;
  std::string message;  ///< "takes a number above 0, at most 1000000, found 0"
};
/// The first field whose value cannot be trained with, whatever the images; nullopt for a good recipe.
std::optional<RecipeProblem> recipe_problem(const TrainRecipe& recipe);

/// The epochs of `milestones`, ascending. Error(internal) for a recipe with a problem.
std::vector<std::int64_t> milestones(const TrainRecipe& recipe);

/// Is the tensor of this name trained? `trainable` empty: all are.
bool is_trainable(const TrainRecipe& recipe, std::string_view tensor);

/// An object of what can change a result and is not at its identity default; for cell keys.
nlohmann::json recipe_identity(const TrainRecipe& recipe);

/// An object of every field, and back; for messages to child processes. Reading throws Error(internal) that names a
/// missing, unknown or mistyped field.
nlohmann::json recipe_to_json(const TrainRecipe& recipe);
TrainRecipe recipe_from_json(const nlohmann::json& object);

/// One field of one recipe, as the store keeps it.
struct RecipeField {
  std::string name;
  ParamValue value;
  bool is_default;      ///< at its identity default
  bool changes_result;  ///< part of the identity where it is not at that default
};
std::vector<RecipeField> recipe_fields(const TrainRecipe& recipe);

/// A row of the table in docs/recipes.md.
struct RecipeRow {
  std::string name, default_text, range, help;
};
std::vector<RecipeRow> recipe_rows();

}  // namespace nearfar
