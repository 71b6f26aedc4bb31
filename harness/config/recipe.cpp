#include "config/recipe.h"

#include "base/error.h"
#include "base/text.h"
#include "config/document.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <sstream>

namespace nearfar {
namespace {

using nlohmann::json;

using Member =
    std::variant<bool TrainRecipe::*, std::int64_t TrainRecipe::*, double TrainRecipe::*, std::string TrainRecipe::*>;

struct Range {
  double minimum = 0, maximum = 0;
  bool above = false;  ///< the minimum itself is not allowed
  bool below = false;  ///< nor is the maximum
};

struct Field {
  std::string name;
  Member member;
  ParamValue identity_default;  ///< frozen: see recipe.h
  Range range;                  ///< of integers and numbers
  std::vector<std::string> choices;
  std::string help;
  bool changes_result = true;
  /// Of a text that is no choice: what it takes, in words, and whether it is that.
  std::string takes = {};
  bool (*is_right)(const std::string&) = nullptr;
};

constexpr double kMillion = 1e6;

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

bool is_words(const std::string& text) { return join(words(text), " ") == text; }

bool is_milestones(const std::string& text) {
  if (!is_words(text)) return false;
  std::int64_t before = 0;
  for (const std::string& word : words(text)) {
    std::int64_t epoch = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), epoch);
    if (error != std::errc() || end != word.data() + word.size() || epoch <= before) return false;
    before = epoch;
  }
  return true;
}

const std::vector<Field>& fields() {
  using R = TrainRecipe;
  static const std::vector<Field> table = {
      {"epochs", &R::epochs, 6, {1, kMillion}, {}, "passes over the train images"},
      {"batch_size",
       &R::batch_size,
       64,
       {2, kMillion},  // batch norm has no statistics of one image
       {},
       "images of an optimiser step; a rest of one image is left out"},
      {"lr",
       &R::learning_rate,
       0.1,
       {.minimum = 0, .maximum = kMillion, .above = true},
       {},
       "the highest learning rate, reached when the warm-up ends"},
      {"momentum", &R::momentum, 0.9, {.minimum = 0, .maximum = 1, .below = true}, {}, "of SGD"},
      {"weight_decay", &R::weight_decay, 5e-4, {0, kMillion}, {}, "added to the gradient of every parameter"},
      {"nesterov", &R::nesterov, true, {}, {}, "Nesterov's form of the momentum; needs a momentum above 0"},
      {"warmup_fraction",
       &R::warmup_fraction,
       0.25,
       {.minimum = 0, .maximum = 1, .below = true},  // the cosine needs steps of its own
       {},
       "share of all steps in linear warm-up"},
      {"final_lr", &R::final_lr, 0.0, {0, kMillion}, {}, "where the cosine ends"},
      {"shift",
       &R::shift,
       0,
       {0, 4096},
       {},
       "pixels of random translation in each direction, less than the image; 0 = off"},
      {"flip", &R::flip, false, {}, {}, "random horizontal mirror"},
      {"smallest_crop",
       &R::smallest_crop,
       1.0,
       {.minimum = 0, .maximum = 1, .above = true},
       {},
       "random resized crop: at least this share of the image's area, at a ratio from 3/4 to 4/3; 1 = off; not with "
       "`shift`"},
      {"brightness", &R::brightness, 0.0, {0, 1}, {}, "colour jitter: a factor from 1 - this to 1 + this"},
      {"contrast", &R::contrast, 0.0, {0, 1}, {}, "likewise"},
      {"saturation", &R::saturation, 0.0, {0, 1}, {}, "likewise; images of three channels"},
      {"hue", &R::hue, 0.0, {0, 0.5}, {}, "turned by at most this share of the circle; images of three channels"},
      {"jitter_share", &R::jitter_share, 0.8, {0, 1}, {}, "of the views that get the colour jitter"},
      {"gray_share", &R::gray_share, 0.0, {0, 1}, {}, "of the views that become grey"},
      {"projection", &R::projection, "mlp", {}, {"mlp", "linear"}, "the embedding head, where the loss asks for one"},
      {"embedding_dim", &R::embedding_dim, 32, {1, kMillion}, {}, "width of the embedding"},
      {"dtype",
       &R::dtype,
       "float32",
       {},
       {"float32", "bfloat16"},
       "bfloat16: products and convolutions in it, sums and weights in float32 (autocast)"},
      {"optimizer", &R::optimizer, "sgd", {}, {"sgd", "adamw"}, "SGD with momentum, or AdamW"},
      {"beta1", &R::beta1, 0.9, {.minimum = 0, .maximum = 1, .below = true}, {}, "of AdamW"},
      {"beta2", &R::beta2, 0.999, {.minimum = 0, .maximum = 1, .below = true}, {}, "of AdamW"},
      {"epsilon", &R::epsilon, 1e-8, {.minimum = 0, .maximum = 1, .above = true}, {}, "of AdamW"},
      {"decay",
       &R::decay,
       "all",
       {},
       {"all", "weights"},
       "what the weight decay is for: every parameter (OpenOOD), or only those of two dimensions and more"},
      {"schedule",
       &R::schedule,
       "cosine",
       {},
       {"cosine", "cosine-epoch", "linear", "multi-step", "constant"},
       "of the learning rate after the warm-up, by step; cosine-epoch and multi-step by epoch"},
      {"final_fraction", &R::final_fraction, 0.0, {0, 1}, {}, "this share of `lr` is added to `final_lr`"},
      {"milestones",
       &R::milestones,
       "",
       {},
       {},
       "of multi-step: where the rate is multiplied by `gamma`",
       true,
       "epochs in ascending order with spaces between, as \"60 75 90\"",
       is_milestones},
      {"gamma", &R::gamma, 0.1, {.minimum = 0, .maximum = 1, .above = true}, {}, "of multi-step"},
      {"warmup",
       &R::warmup,
       "linear",
       {},
       {"linear", "epochs", "openood"},
       "linear: by `warmup_fraction`; epochs: by `warmup_epochs`; openood: that as OpenOOD counts, an epoch late and "
       "with negative rates in the first"},
      {"warmup_epochs", &R::warmup_epochs, 10, {1, kMillion}, {}, "of the warm-up `epochs` or `openood`"},
      {"warmup_lr", &R::warmup_lr, 0.001, {0, kMillion}, {}, "where that warm-up begins"},
      {"accumulate",
       &R::accumulate,
       1,
       {1, kMillion},
       {},
       "a step's images are taken in so many parts, each a batch for the loss and for batch norm"},
      {"sync_bn",
       &R::sync_bn,
       false,
       {},
       {},
       "batch norm counts over the images of all processes (`run.nproc`), not each over its own"},
      {"clip_norm", &R::clip_norm, 0.0, {0, kMillion}, {}, "the gradient's 2-norm is at most this; 0 = off"},
      {"label_smoothing",
       &R::label_smoothing,
       0.0,
       {.minimum = 0, .maximum = 1, .below = true},
       {},
       "share of the target that all classes get, for losses that take soft targets"},
      {"ema_decay",
       &R::ema_decay,
       0.0,
       {.minimum = 0, .maximum = 1, .below = true},
       {},
       "of a moving average of the weights, which is what is evaluated; 0 = off"},
      {"start",
       &R::start,
       "scratch",
       {},
       {"scratch", "checkpoint"},
       "checkpoint: with the weights of model.checkpoint; a head of another shape starts anew"},
      {"trainable",
       &R::trainable,
       "",
       {},
       {},
       "only these are trained; batch norm keeps counting everywhere; empty = all",
       true,
       "beginnings of tensor names with spaces between, as \"backbone.layer4 head\"",
       is_words},
      {"images",
       &R::images,
       "prepared",
       {},
       {"prepared", "files", "short-side"},
       "what is augmented, of sets of image files: the images as they are evaluated, resized and cut; the files; "
       "training copies with a shorter side of "
       "`short_side` (`nearfar data pack --train-side`)"},
      {"short_side", &R::short_side, 256, {16, 4096}, {}, "of those copies"},
      {"exact_decoding",
       &R::exact_decoding,
       false,
       {},
       {},
       "of `files`: a large JPEG is decoded whole; without it at 1/2, 1/4 or 1/8 where its crop is as large as that, "
       "twice as fast or more"},
      {"checkpoint_every_epochs",
       &R::checkpoint_every_epochs,
       1,
       {0, kMillion},
       {},
       "0 = only at the end; does not change the result",
       /*changes_result=*/false},
      {"checkpoint_every_minutes",
       &R::checkpoint_every_minutes,
       10.0,
       {0, kMillion},
       {},
       "also within an epoch; 0 = off; does not change the result",
       /*changes_result=*/false},
      {"keep_checkpoints",
       &R::keep_checkpoints,
       2,
       {1, 100},
       {},
       "while it trains, the last so many: a damaged one costs only the steps since the one before; does not change "
       "the "
       "result",
       /*changes_result=*/false},
      {"stream",
       &R::stream,
       "auto",
       {},
       {"auto", "always", "never"},
       "image files are read and decoded while it trains, not before; auto: where `images` asks for it, and where the "
       "set would fill too much of the memory (docs/data.md); does not change the result",
       /*changes_result=*/false},
  };
  return table;
}

ParamValue value_of(const Field& field, const TrainRecipe& recipe) {
  return std::visit([&](auto member) -> ParamValue { return recipe.*member; }, field.member);
}

bool is_default(const Field& field, const TrainRecipe& recipe) {
  return value_of(field, recipe) == field.identity_default;
}

json value_json(const ParamValue& value) {
  return std::visit([](const auto& held) { return json(held); }, value);
}

std::string to_text(const ParamValue& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, double>)
          return number_text(held);
        else
          return fmt::format("{}", held);
      },
      value);
}

/// "an integer from 1 to 1000000", "a number above 0, at most 1000000", "mlp or linear".
std::string range_text(const Field& field) {
  if (std::holds_alternative<bool TrainRecipe::*>(field.member)) return "true or false";
  if (!field.choices.empty()) return join(field.choices, " or ");
  if (!field.takes.empty()) return field.takes;
  const auto& [minimum, maximum, above, below] = field.range;
  const bool whole = std::holds_alternative<std::int64_t TrainRecipe::*>(field.member);
  const std::string low = number_text(minimum), high = number_text(maximum), kind = whole ? "an integer" : "a number";
  if (!above && !below) return fmt::format("{} from {} to {}", kind, low, high);
  return fmt::format("{} {} {}, {} {}", kind, above ? "above" : "of at least", low, below ? "below" : "at most", high);
}

bool is_allowed(const Field& field, const ParamValue& value) {
  const auto in_range = [&](double number) {
    const auto& [minimum, maximum, above, below] = field.range;
    return (above ? number > minimum : number >= minimum) && (below ? number < maximum : number <= maximum);
  };
  if (const auto* text = std::get_if<std::string>(&value))
    return field.is_right != nullptr
               ? field.is_right(*text)
               : std::find(field.choices.begin(), field.choices.end(), *text) != field.choices.end();
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return in_range(static_cast<double>(*integer));
  if (const auto* number = std::get_if<double>(&value)) return in_range(*number);  // false for NaN
  return true;
}

void read_field(const Field& field, Section& section, TrainRecipe& recipe) {
  if (const auto* integer = std::get_if<std::int64_t TrainRecipe::*>(&field.member)) {
    section.read(field.name, recipe.**integer, static_cast<std::int64_t>(field.range.minimum),
                 static_cast<std::int64_t>(field.range.maximum));
  } else {
    std::visit([&](auto member) { section.read(field.name, recipe.*member); }, field.member);
  }
}

template <class T>
bool holds(const json& value) {
  if constexpr (std::is_same_v<T, bool>)
    return value.is_boolean();
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return value.is_number_integer();
  else if constexpr (std::is_same_v<T, double>)
    return value.is_number();
  else
    return value.is_string();
}

[[noreturn]] void unreadable(const std::string& what) {
  throw Error(ErrorKind::internal, "a training recipe in JSON " + what);
}

}  // namespace

TrainRecipe read_recipe(const Value* table, const std::string& name, TrainRecipe recipe) {
  Section section(table, name);
  for (const Field& field : fields()) read_field(field, section, recipe);
  section.finish();
  if (const auto problem = recipe_problem(recipe))
    fail_at(section.where(problem->field), fmt::format("'{}' in {} {}", problem->field, name, problem->message));
  return recipe;
}

std::optional<RecipeProblem> recipe_problem(const TrainRecipe& recipe) {
  for (const Field& field : fields()) {
    const ParamValue value = value_of(field, recipe);
    if (is_allowed(field, value)) continue;
    std::string hint;
    if (const auto* text = std::get_if<std::string>(&value)) hint = suggestion(*text, field.choices);
    return RecipeProblem{field.name, fmt::format("takes {}, found {}{}", range_text(field), to_text(value), hint)};
  }
  if (recipe.optimizer == "sgd" && recipe.nesterov && recipe.momentum == 0)
    return RecipeProblem{"nesterov", "needs a momentum above 0"};
  if (recipe.smallest_crop < 1 && recipe.shift > 0)
    return RecipeProblem{"shift", "is for images that are not cropped: set it to 0, or `smallest_crop` to 1"};
  if ((recipe.schedule == "multi-step") == recipe.milestones.empty()) {
    return RecipeProblem{"milestones", recipe.milestones.empty() ? "must be there with schedule = \"multi-step\""
                                                                 : "is for schedule = \"multi-step\""};
  }
  if (recipe.images == "short-side" && recipe.smallest_crop == 1)
    return RecipeProblem{"images", "is short-side, which crops are cut from: set `smallest_crop` below 1"};
  if (recipe.images != "prepared" && recipe.stream == "never")
    return RecipeProblem{"stream",
                         fmt::format("is never, and images = \"{}\" are read while it trains", recipe.images)};
  return std::nullopt;
}

std::vector<std::int64_t> milestones(const TrainRecipe& recipe) {
  NEARFAR_ASSERT(is_milestones(recipe.milestones));
  std::vector<std::int64_t> epochs;
  for (const std::string& word : words(recipe.milestones)) epochs.push_back(std::stoll(word));
  return epochs;
}

bool is_trainable(const TrainRecipe& recipe, std::string_view tensor) {
  const std::vector<std::string> beginnings = words(recipe.trainable);
  return beginnings.empty() || std::any_of(beginnings.begin(), beginnings.end(),
                                           [&](const std::string& one) { return tensor.starts_with(one); });
}

json recipe_identity(const TrainRecipe& recipe) {
  json object = json::object();
  for (const Field& field : fields()) {
    if (field.changes_result && !is_default(field, recipe)) object[field.name] = value_json(value_of(field, recipe));
  }
  return object;
}

json recipe_to_json(const TrainRecipe& recipe) {
  json object = json::object();
  for (const Field& field : fields()) object[field.name] = value_json(value_of(field, recipe));
  return object;
}

TrainRecipe recipe_from_json(const json& object) {
  if (!object.is_object()) unreadable(fmt::format("is of the type {}, expected an object", object.type_name()));
  TrainRecipe recipe;
  std::set<std::string, std::less<>> known;
  for (const Field& field : fields()) {
    known.insert(field.name);
    const auto found = object.find(field.name);
    if (found == object.end()) unreadable(fmt::format("lacks '{}'", field.name));
    std::visit(
        [&](auto member) {
          using T = std::decay_t<decltype(recipe.*member)>;
          if (!holds<T>(*found)) unreadable(fmt::format("has '{}' of the type {}", field.name, found->type_name()));
          found->get_to(recipe.*member);
        },
        field.member);
  }
  for (const auto& [name, value] : object.items()) {
    if (!known.contains(name)) unreadable(fmt::format("has a field '{}' that this version does not know", name));
  }
  return recipe;
}

std::vector<RecipeField> recipe_fields(const TrainRecipe& recipe) {
  std::vector<RecipeField> result;
  for (const Field& field : fields())
    result.push_back({field.name, value_of(field, recipe), is_default(field, recipe), field.changes_result});
  return result;
}

std::vector<RecipeRow> recipe_rows() {
  std::vector<RecipeRow> rows;
  for (const Field& field : fields())
    rows.push_back({field.name, to_text(value_of(field, TrainRecipe{})), range_text(field), field.help});
  return rows;
}

}  // namespace nearfar
