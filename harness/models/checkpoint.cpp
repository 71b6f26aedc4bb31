#include "models/checkpoint.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "device/transfer.h"
#include "models/safetensors.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace nearfar {
namespace {

constexpr const char* kFormat1 = "nearfar-checkpoint-1";
constexpr const char* kFormat = "nearfar-checkpoint-2";
constexpr const char* kOptimizer = "optimizer.";
constexpr const char* kEma = "ema.";
constexpr const char* kLoss = "loss.";
constexpr const char* kState = "nearfar";        // in the file's metadata
constexpr const char* kDigest = "nearfar_xxh3";  // likewise

nlohmann::ordered_json spec_json(const NetworkSpec& spec) {
  return {{"architecture", spec.architecture},
          {"in_channels", spec.in_channels},
          {"height", spec.height},
          {"width", spec.width},
          {"classes", spec.classes},
          {"head", spec.head == HeadKind::linear ? "linear" : "embedding"},
          {"projection", spec.projection},
          {"embedding_dim", spec.embedding_dim}};
}

NetworkSpec spec_from_json(const nlohmann::json& json) {
  NetworkSpec spec;
  json.at("architecture").get_to(spec.architecture);
  json.at("in_channels").get_to(spec.in_channels);
  json.at("height").get_to(spec.height);
  json.at("width").get_to(spec.width);
  json.at("classes").get_to(spec.classes);
  spec.head = json.at("head").get<std::string>() == "linear" ? HeadKind::linear : HeadKind::embedding;
  json.at("projection").get_to(spec.projection);
  json.at("embedding_dim").get_to(spec.embedding_dim);
  return spec;
}

nlohmann::ordered_json state_json(const Checkpoint& checkpoint) {
  nlohmann::ordered_json history = nlohmann::ordered_json::array();
  for (const EpochRecord& record : checkpoint.history) {
    nlohmann::ordered_json row{{"epoch", record.epoch}, {"loss", record.loss}, {"learning_rate", record.learning_rate}};
    if (record.val_accuracy) row["val_accuracy"] = *record.val_accuracy;
    if (record.gradient_norm) row["gradient_norm"] = *record.gradient_norm;
    if (record.ood_val_auroc) row["ood_val_auroc"] = *record.ood_val_auroc;
    history.push_back(row);
  }
  nlohmann::ordered_json state{{"format", kFormat},
                               {"identity", checkpoint.identity},
                               {"spec", spec_json(checkpoint.spec)},
                               {"step", checkpoint.step},
                               {"epoch_loss_sum", checkpoint.epoch_loss_sum},
                               {"loss_average", checkpoint.loss_average},
                               {"best_epoch", checkpoint.best_epoch},
                               {"best_value", checkpoint.best_value},
                               {"best_sha256", checkpoint.best_sha256},
                               {"history", history}};
  if (!checkpoint.origin.empty()) state["origin"] = checkpoint.origin;
  return state;
}

Checkpoint state_from_json(const nlohmann::json& json) {
  Checkpoint checkpoint;
  const std::string format = json.at("format");
  if (format != kFormat && format != kFormat1) {
    throw Error(ErrorKind::data,
                fmt::format("checkpoint format '{}', this program reads {} and {}", format, kFormat1, kFormat));
  }
  checkpoint.format = format == kFormat ? 2 : 1;
  json.at("identity").get_to(checkpoint.identity);
  if (json.contains("origin")) json.at("origin").get_to(checkpoint.origin);
  checkpoint.spec = spec_from_json(json.at("spec"));
  json.at("step").get_to(checkpoint.step);
  json.at("epoch_loss_sum").get_to(checkpoint.epoch_loss_sum);
  json.at("loss_average").get_to(checkpoint.loss_average);
  json.at("best_epoch").get_to(checkpoint.best_epoch);
  json.at("best_value").get_to(checkpoint.best_value);
  if (checkpoint.format == 2) json.at("best_sha256").get_to(checkpoint.best_sha256);
  for (const nlohmann::json& row : json.at("history")) {
    EpochRecord record{row.at("epoch"), row.at("loss"), row.at("learning_rate"), {}, {}};
    if (row.contains("val_accuracy")) record.val_accuracy = row.at("val_accuracy").get<double>();
    if (row.contains("gradient_norm")) record.gradient_norm = row.at("gradient_norm").get<double>();
    if (row.contains("ood_val_auroc")) record.ood_val_auroc = row.at("ood_val_auroc").get<double>();
    checkpoint.history.push_back(record);
  }
  return checkpoint;
}

/// XXH3 over names and values in the order of the names: a flipped bit in a weight is noticed, which no parser would.
std::string digest_of(const std::vector<NamedTensor>& tensors) {
  std::map<std::string_view, at::Tensor> sorted;
  for (const NamedTensor& named : tensors) sorted.emplace(named.name, named.tensor.detach().cpu().contiguous());
  std::uint64_t digest = 0;
  for (const auto& [name, tensor] : sorted) {
    digest = xxh3(std::as_bytes(std::span(name)), digest);
    digest = xxh3({static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}, digest);
  }
  return fmt::format("{:016x}", digest);
}

bool take_prefix(std::string& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.erase(0, prefix.size());
  return true;
}

}  // namespace

std::filesystem::path last_checkpoint(const std::filesystem::path& folder) { return folder / "last.safetensors"; }
std::filesystem::path best_checkpoint(const std::filesystem::path& folder) { return folder / "best.safetensors"; }
std::filesystem::path next_best_checkpoint(const std::filesystem::path& folder) {
  return folder / "best.next.safetensors";
}

void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint) {
  std::vector<NamedTensor> tensors = checkpoint.network;
  for (const OptimizerTensor& kept : checkpoint.optimizer) {
    NEARFAR_ASSERT(!kept.slot.empty() && kept.slot.find('.') == std::string::npos);
    tensors.push_back({kOptimizer + kept.slot + "." + kept.parameter, kept.tensor, false});
  }
  for (const NamedTensor& named : checkpoint.ema) tensors.push_back({kEma + named.name, named.tensor, false});
  for (const NamedTensor& named : checkpoint.loss) tensors.push_back({kLoss + named.name, named.tensor, false});
  std::vector<at::Tensor> values;
  for (const NamedTensor& named : tensors) values.push_back(named.tensor);
  values = download(values);
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].tensor = values[i];
  const nlohmann::ordered_json state = state_json(checkpoint);
  write_safetensors(file, tensors, {{kState, state.dump()}, {kDigest, digest_of(tensors)}});
  std::filesystem::path beside = file;
  write_file_atomic(beside.replace_extension(".json"), state.dump(2) + "\n");
}

Checkpoint read_checkpoint(const std::filesystem::path& file) {
  TensorFile content = read_safetensors(file);
  const auto state = content.metadata.find(kState);
  if (state == content.metadata.end()) {
    throw Error(ErrorKind::data, file.string() + ": no checkpoint of nearfar: the metadata have no entry 'nearfar'");
  }
  Checkpoint checkpoint;
  try {
    checkpoint = state_from_json(nlohmann::json::parse(state->second));
  } catch (const std::exception& error) {
    throw Error(ErrorKind::data, fmt::format("{}: damaged checkpoint: {}", file.string(), error.what()));
  }
  const auto digest = content.metadata.find(kDigest);  // other programs that rewrite a file leave it out
  if (digest != content.metadata.end() && digest->second != digest_of(content.tensors)) {
    throw Error(ErrorKind::data,
                fmt::format("{}: damaged checkpoint: its tensors are not those that were written (their "
                            "XXH3 is not {})",
                            file.string(), digest->second));
  }
  for (NamedTensor& named : content.tensors) {
    if (take_prefix(named.name, kOptimizer)) {
      const std::size_t dot = std::min(named.name.find('.'), named.name.size());
      checkpoint.optimizer.push_back(
          {named.name.substr(0, dot), named.name.substr(std::min(dot + 1, named.name.size())), named.tensor});
    } else if (take_prefix(named.name, kEma)) {
      checkpoint.ema.push_back(named);
    } else if (take_prefix(named.name, kLoss)) {
      checkpoint.loss.push_back(named);
    } else {
      checkpoint.network.push_back(named);
    }
  }
  return checkpoint;
}

std::unique_ptr<Network> load_network(const std::filesystem::path& file, at::Device device) {
  const Checkpoint checkpoint = read_checkpoint(file);
  try {
    check_tensors(checkpoint.spec, checkpoint.network, file.string());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::data) throw;
    throw Error(ErrorKind::data,
                fmt::format("{}: damaged checkpoint: {}", file.string(), error.what()));  // its spec, not a user's
  }
  std::unique_ptr<Network> network = make_empty_network(checkpoint.spec, device);
  load_tensors(*network, checkpoint.network, file.string());
  network->train(false);
  return network;
}

}  // namespace nearfar
