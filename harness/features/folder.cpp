#include "features/folder.h"

#include "base/error.h"
#include "base/npy.h"
#include "base/set_name.h"
#include "base/text.h"
#include "data/feature_sets.h"
#include "features/accuracy.h"
#include "features/manifest.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace nearfar {
namespace fs = std::filesystem;
namespace {

/// The file's numbers as T, which is float or int64: mapped where the file has them so, else a copy.
template <class T>
at::Tensor read_numbers(const fs::path& file, std::size_t dimensions) {
  if (!fs::is_regular_file(file))
    throw Error(ErrorKind::data, fmt::format("{}: missing, and asked for here", file.string()));
  // shared_ptr: what a tensor views lives as long as any tensor that views it.
  const auto array = std::make_shared<const NpyArray>(file);
  std::vector<std::int64_t> shape = array->shape();
  if (dimensions == 1 && array->is_column()) shape = {array->size()};
  if (shape.size() != dimensions) {
    throw Error(ErrorKind::data,
                fmt::format("{}: has {} axes, expected {}; save it with np.save(file, array.reshape({}))",
                            file.string(), shape.size(), dimensions, dimensions == 1 ? "-1" : "len(array), -1"));
  }
  const at::TensorOptions type(std::is_same_v<T, float> ? at::kFloat : at::kLong);
  if (array->size() == 0) return at::empty(shape, type);
  if (array->type() == npy_type<T>()) {
    return at::from_blob(
        const_cast<std::byte*>(array->bytes().data()), shape, [array](void*) {}, type);
  }
  const auto copy = std::make_shared<std::vector<T>>(converted<T>(*array));
  return at::from_blob(
      copy->data(), shape, [copy](void*) {}, type);
}

void check_same(const fs::path& folder, const char* what, std::int64_t found, const char* of, std::int64_t expected) {
  if (found != expected) {
    throw Error(ErrorKind::data,
                fmt::format("{}: {} is {}, expected {} as in {}", folder.string(), what, found, expected, of));
  }
}

}  // namespace

at::Tensor map_floats(const fs::path& file, std::size_t dimensions) { return read_numbers<float>(file, dimensions); }

struct FeatureFolder::Looks {
  std::mutex mutex;
  std::map<std::string, NonFinite> found;  ///< by "SET/TENSOR"
};

FeatureFolder::FeatureFolder(fs::path folder) : folder_(std::move(folder)), looks_(std::make_shared<Looks>()) {
  if (!fs::is_directory(folder_))
    throw Error(ErrorKind::data, folder_.string() + ": no such folder; expected a feature folder");
  sets_ = feature_folder_sets(folder_);
  if (sets_.empty()) {
    throw Error(ErrorKind::data,
                folder_.string() +
                    ": holds no image set; expected SET/features.npy or SET/logits.npy with SET = train, "
                    "val, test, ood_val, near/NAME, far/NAME or csid/NAME");
  }
}

bool FeatureFolder::has(std::string_view name) const {
  return std::find(sets_.begin(), sets_.end(), name) != sets_.end();
}

FeatureBatch FeatureFolder::set(std::string_view name, Needs needs) const {
  if (!has(name)) {
    throw Error(ErrorKind::data, fmt::format("{}: no image set '{}'{}; there are: {}", folder_.string(), name,
                                             suggestion(name, sets_), join(sets_, ", ")));
  }
  const fs::path folder = folder_ / name;
  FeatureBatch batch;
  std::optional<std::int64_t> rows;
  const char* rows_of = "";
  const auto same_rows = [&](const at::Tensor& tensor, const char* file) {
    if (rows) check_same(folder, fmt::format("the number of rows of {}", file).c_str(), tensor.size(0), rows_of, *rows);
    rows = tensor.size(0);
    rows_of = file;
  };
  if (needs & (kFeatures | kNormalizedFeatures)) {
    batch.features = map_floats(folder / "features.npy", 2);
    same_rows(batch.features, "features.npy");
  }
  if (needs & kLogits) {
    batch.logits = map_floats(folder / "logits.npy", 2);
    same_rows(batch.logits, "logits.npy");
  }
  if (fs::is_regular_file(folder / "labels.npy")) {
    batch.labels = read_numbers<std::int64_t>(folder / "labels.npy", 1);
    same_rows(batch.labels, "labels.npy");
  }
  if (has_head()) {
    const HeadWeights weights = map_head();
    if (batch.features.defined())
      check_same(folder, "the width of features.npy", batch.features.size(1), "head/weight.npy",
                 weights.weight.size(1));
    if (batch.logits.defined())
      check_same(folder, "the width of logits.npy", batch.logits.size(1), "head/weight.npy", weights.weight.size(0));
  }
  if (batch.features.defined()) check_finite(std::string(name), "features", batch.features);
  if (batch.logits.defined()) check_finite(std::string(name), "logits", batch.logits);
  if (needs & kNormalizedFeatures) batch.normalized = normalized_rows(batch.features);
  if (!(needs & kFeatures)) batch.features = at::Tensor();
  return batch;
}

bool FeatureFolder::has_head() const { return fs::is_regular_file(folder_ / "head" / "weight.npy"); }

NonFinite FeatureFolder::nonfinite(const std::string& set, const char* tensor, const at::Tensor& values,
                                   std::string& cause) const {
  const bool features = std::string_view(tensor) == "features";
  if (fs::is_regular_file(folder_ / set / "manifest.json")) {
    const FeatureFacts facts = read_facts(folder_ / set);
    if (facts.check) {
      cause = facts.check->cause;
      return features ? facts.check->features : facts.check->logits;
    }
  }
  cause = fmt::format("{}.npy holds such values; look at how it was made", (folder_ / set / tensor).string());
  const std::string key = set + "/" + tensor;
  const std::lock_guard lock(looks_->mutex);
  const auto known = looks_->found.find(key);
  return known != looks_->found.end() ? known->second
                                      : looks_->found.emplace(key, find_nonfinite(values)).first->second;
}

void FeatureFolder::check_finite(const std::string& set, const char* tensor, const at::Tensor& values) const {
  std::string cause;
  const NonFinite found = nonfinite(set, tensor, values, cause);
  if (found.rows > 0) throw Error(ErrorKind::data, nonfinite_text(set, tensor, found, values.size(0), cause));
}

HeadWeights FeatureFolder::head() const {
  HeadWeights head = map_head();
  for (const auto& [tensor, name] : {std::pair(&head.weight, "weight"), std::pair(&head.bias, "bias")}) {
    const NonFinite found = find_nonfinite(tensor->reshape({tensor->size(0), -1}));
    if (found.rows == 0) continue;
    throw Error(
        ErrorKind::data,
        fmt::format("{}: the head's {} of class {} is not finite ({}), {} of {} classes in all; get or train the "
                    "weights again",
                    (folder_ / "head" / name).string() + ".npy", name, found.first, found.value, found.rows,
                    tensor->size(0)));
  }
  return head;
}

HeadWeights FeatureFolder::map_head() const {
  HeadWeights head{map_floats(folder_ / "head" / "weight.npy", 2), map_floats(folder_ / "head" / "bias.npy", 1)};
  check_same(folder_ / "head", "the length of bias.npy", head.bias.size(0), "weight.npy", head.weight.size(0));
  return head;
}

std::int64_t FeatureFolder::classes() const {
  if (has_head()) return map_head().weight.size(0);
  for (const std::string& name : sets_) {
    const fs::path file = folder_ / name / "logits.npy";
    if (fs::is_regular_file(file)) return map_floats(file, 2).size(1);
  }
  if (const fs::path file = folder_ / sets::kTrain / "labels.npy"; fs::is_regular_file(file)) {
    const at::Tensor labels = read_numbers<std::int64_t>(file, 1);
    if (labels.numel() > 0) return labels.max().item<std::int64_t>() + 1;
  }
  throw Error(ErrorKind::data,
              folder_.string() + ": the number of classes is unknown: no head, no logits and no train labels");
}

}  // namespace nearfar
