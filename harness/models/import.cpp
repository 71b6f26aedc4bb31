#include "models/import.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "models/checkpoint.h"
#include "models/conclusion.h"
#include "models/fit.h"
#include "models/mapping.h"
#include "models/mismatch.h"
#include "models/safetensors.h"
#include "models/torch_file.h"
#include "models/wrappers.h"
#include "models/zip_file.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace nearfar {
namespace {

constexpr std::size_t kMaxNameLength = 512;

/// A state dict of a file and how it fits, if any mapping may be tried.
struct Choice {
  const StateDict* dict = nullptr;
  Fit fit = {};
};

FitOptions fit_options(const ImportOptions& options) {
  return {.architecture = options.architecture,
          .height = options.height,
          .width = options.width,
          .in_channels = options.in_channels};
}

[[noreturn]] void refuse(const Choice& nearest, const std::vector<Mapping>& mappings, const std::string& source,
                         const ImportOptions& options) {
  const std::vector<NamedTensor>& tensors = nearest.dict->tensors;
  for (const NamesView& view : names_views(tensors)) {
    for (const Mapping& mapping : mappings) {
      for (const Mapping::Refusal& refusal : mapping.refuse) {
        const auto found = std::find_if(view.tensors.begin(), view.tensors.end(), [&](const NamedTensor& one) {
          return match_pattern(refusal.name, one.name).has_value();
        });
        if (found != view.tensors.end())
          throw Error(ErrorKind::data, fmt::format("{}: '{}': {}", source, printable(found->name), refusal.reason));
      }
    }
  }
  std::string where = nearest.dict->place.empty() ? "" : fmt::format(" (its '{}')", nearest.dict->place);
  if (!nearest.dict->others.empty()) {
    const std::span<const std::string> others(nearest.dict->others);
    where +=
        fmt::format("; entries that are no tensors: {}{}",
                    join(others.first(std::min<std::size_t>(others.size(), 5)), ", "), others.size() > 5 ? ", …" : "");
  }
  throw Error(ErrorKind::data, fmt::format("{}: fits no known network{}. {}", source, where,
                                           conclusion(tensors, nearest.fit, mappings, fit_options(options))));
}

bool same_values(const Fit& a, const Fit& b) {
  if (a.spec != b.spec) return false;
  const std::vector<NamedTensor> left = fitted_tensors(a), right = fitted_tensors(b);
  return std::equal(left.begin(), left.end(), right.begin(),
                    [](const NamedTensor& x, const NamedTensor& y) { return at::equal(x.tensor, y.tensor); });
}

/// Of two that are equally likely and not the same, neither is taken.
void check_alone(const Choice& taken, const std::vector<Choice>& all, const std::string& source) {
  std::vector<std::string> places;
  for (const Choice& one : all) {
    const bool rival = one.fit.exact() && one.dict != taken.dict && one.dict->rank == taken.dict->rank;
    if (rival && !same_values(one.fit, taken.fit)) places.push_back("'" + one.dict->place + "'");
  }
  if (places.empty()) return;
  throw Error(ErrorKind::data,
              fmt::format("{}: holds several networks, under '{}', {}, and does not say which one counts; "
                          "keep one: torch.save(torch.load(OLD, weights_only=True)[KEY], NEW)",
                          source, taken.dict->place, join(places, ", ")));
}

/// What of the file was taken, for people.
std::string taken_text(const Choice& taken, const std::vector<StateDict>& dicts) {
  std::string text;
  if (!taken.dict->place.empty()) text = fmt::format("'{}'", taken.dict->place);
  if (taken.dict->rank == StateDict::Rank::average) {
    text += ", a moving average";
    for (const StateDict& other : dicts) {
      if (other.rank == StateDict::Rank::weights) {
        text += fmt::format(", rather than '{}'", other.place);
        break;
      }
    }
  } else {
    for (const StateDict& other : dicts) {
      if (other.rank == StateDict::Rank::average) text += fmt::format("; '{}' fits no network", other.place);
    }
  }
  if (!taken.fit.prefix.empty())
    text += fmt::format("{}names without '{}'", text.empty() ? "" : ", ", printable(taken.fit.prefix));
  return text;
}

Imported imported_from(const Choice& taken, const ImportOptions& options);

/// The likeliest come first: of the first rank that has one that fits, that one counts.
Imported import_dicts(const std::vector<StateDict>& dicts, const std::string& source, const ImportOptions& options) {
  const std::vector<Mapping> mappings = read_mappings(options.mappings);
  std::vector<Choice> choices;
  std::optional<StateDict::Rank> fitting;
  for (const StateDict& dict : dicts) {
    if (fitting && dict.rank != *fitting) break;
    std::optional<Fit> fit = best_fit(mappings, dict.tensors, fit_options(options));
    if (!fit) {
      throw Error(ErrorKind::config, fmt::format("{}: no mapping in {} is for {}", source, options.mappings.string(),
                                                 options.architecture));
    }
    if (fit->exact()) fitting = dict.rank;
    choices.push_back({&dict, std::move(*fit)});
  }
  const auto taken = std::find_if(choices.begin(), choices.end(), [](const Choice& one) { return one.fit.exact(); });
  if (taken == choices.end()) {
    const auto most = std::max_element(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) {
      return std::pair(a.fit.matched, a.dict->tensors.size()) < std::pair(b.fit.matched, b.dict->tensors.size());
    });
    refuse(*most, mappings, source, options);
  }
  check_alone(*taken, choices, source);
  Imported imported = imported_from(*taken, options);
  imported.taken = taken_text(*taken, dicts);
  return imported;
}

/// The spec with the size of the images asked for.
NetworkSpec sized(NetworkSpec spec, const ImportOptions& options) {
  if (options.height > 0) spec.height = options.height;
  if (options.width > 0) spec.width = options.width;
  make_shape_network(spec);  // Error(config) for a size that the architecture does not take
  return spec;
}

Imported imported_from(const Choice& taken, const ImportOptions& options) {
  const Fit& fit = taken.fit;
  Imported imported;
  imported.spec = sized(fit.spec, options);
  imported.mapping = fit.mapping->name;
  imported.tensors = fitted_tensors(fit);
  imported.ignored = fit.ignored;
  const std::set<std::string> ignored(fit.ignored.begin(), fit.ignored.end());
  for (const NamedTensor& named : taken.dict->tensors) {
    const at::ScalarType type = named.tensor.scalar_type();
    if (at::isFloatingType(type) && type != at::kFloat && !ignored.contains(named.name)) {
      imported.converted.push_back(fmt::format("{}: {}", named.name, c10::toString(type)));
    }
  }
  return imported;
}

/// In the network's order, so that the same weights give the same bytes whatever order a file has.
std::vector<NamedTensor> in_order(const NetworkSpec& spec, const std::vector<NamedTensor>& tensors) {
  std::map<std::string_view, at::Tensor> by_name;
  for (const NamedTensor& named : tensors) by_name[named.name] = named.tensor;
  std::vector<NamedTensor> sorted = make_shape_network(spec)->named_tensors();
  for (NamedTensor& named : sorted) named.tensor = by_name.at(named.name);
  return sorted;
}

Imported of_checkpoint(const std::filesystem::path& file, const ImportOptions& options) {
  const Checkpoint checkpoint = read_checkpoint(file);
  if (!options.architecture.empty() && options.architecture != checkpoint.spec.architecture) {
    throw Error(ErrorKind::data, fmt::format("{}: a checkpoint of {}, expected {}", file.string(),
                                             checkpoint.spec.architecture, options.architecture));
  }
  load_network(file);  // its checks
  Imported imported;
  imported.spec = sized(checkpoint.spec, options);
  imported.format = "nearfar";
  imported.tensors = in_order(imported.spec, checkpoint.network);
  return imported;
}

bool looks_like_safetensors(std::span<const std::byte> bytes) {
  return bytes.size() > 8 && std::to_integer<char>(bytes[8]) == '{' && std::to_integer<int>(bytes[7]) == 0;
}

std::string head_text(std::span<const std::byte> bytes) {
  const std::span<const std::byte> head = bytes.first(std::min<std::size_t>(bytes.size(), 40));
  return printable({reinterpret_cast<const char*>(head.data()), head.size()});
}

}  // namespace

Imported import_tensors(std::vector<NamedTensor> tensors, const std::string& source, const ImportOptions& options) {
  if (!options.architecture.empty()) native_image_size(options.architecture);  // Error(config): unknown
  if (tensors.empty()) throw Error(ErrorKind::data, source + ": no tensors");
  for (const NamedTensor& named : tensors) {
    if (named.name.empty() || named.name.size() > kMaxNameLength) {
      throw Error(ErrorKind::data, fmt::format("{}: a tensor's name is {} bytes long", source, named.name.size()));
    }
  }
  std::vector<StateDict> dicts(1);
  dicts[0].tensors = std::move(tensors);
  return import_dicts(dicts, source, options);
}

Imported import_weights(const std::filesystem::path& file, const ImportOptions& options) {
  const std::string source = file.string();
  if (!options.architecture.empty()) native_image_size(options.architecture);
  const MappedFile map(file);
  const bool pickle = !map.bytes().empty() && std::to_integer<int>(map.bytes()[0]) == 0x80;
  if (!ZipFile::looks_like(map.bytes()) && !pickle && looks_like_safetensors(map.bytes())) {
    TensorFile content = read_safetensors(file);
    if (content.metadata.contains("nearfar")) return of_checkpoint(file, options);
    Imported imported = import_tensors(std::move(content.tensors), source, options);
    imported.format = "safetensors";
    return imported;
  }
  const bool tar = map.bytes().size() > 262 && std::memcmp(map.bytes().data() + 257, "ustar", 5) == 0;
  if (!ZipFile::looks_like(map.bytes()) && !pickle && !tar) {
    throw Error(ErrorKind::data, fmt::format("{}: neither a torch.save file (zip) nor safetensors; it begins '{}'",
                                             source, head_text(map.bytes())));
  }
  Imported imported = import_dicts(parse_torch_file(map.bytes(), source), source, options);
  imported.format = "torch";
  return imported;
}

std::unique_ptr<Network> network_of(const Imported& imported, at::Device device) {
  check_tensors(imported.spec, imported.tensors, "imported weights");
  std::unique_ptr<Network> network = make_empty_network(imported.spec, device);
  load_tensors(*network, imported.tensors, "imported weights");
  network->train(false);
  return network;
}

void write_imported(const std::filesystem::path& file, const Imported& imported) {
  Checkpoint checkpoint;
  checkpoint.spec = imported.spec;
  checkpoint.network = imported.tensors;
  checkpoint.origin = imported.format;
  if (!imported.mapping.empty()) checkpoint.origin += ", mapping " + imported.mapping;
  if (!imported.ignored.empty()) checkpoint.origin += fmt::format("; {} not needed", imported.ignored.size());
  if (!imported.converted.empty())
    checkpoint.origin += fmt::format("; {} converted to float32", imported.converted.size());
  write_checkpoint(file, checkpoint);
}

}  // namespace nearfar
