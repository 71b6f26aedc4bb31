#include "models/import.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "models/checkpoint.h"
#include "models/mapping.h"
#include "models/mismatch.h"
#include "models/safetensors.h"
#include "models/torch_file.h"
#include "models/zip_file.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace nearfar {
namespace {

constexpr std::size_t kMaxNameLength = 512;

/// One mapping applied to one file, for one architecture.
struct Attempt {
  const Mapping* mapping = nullptr;
  NetworkSpec spec;
  std::vector<NamedTensor> tensors;  ///< under our names, in the order of the file
  std::vector<std::string> ignored;
  Mismatch mismatch = {};
  bool native_size = false;  ///< the images have the size the architecture was made for
};

/// The names as the file has them, without prefixes that all of them share.
std::vector<std::string> stripped(const std::vector<NamedTensor>& tensors, const std::vector<std::string>& prefixes) {
  std::vector<std::string> names;
  for (const NamedTensor& named : tensors) names.push_back(named.name);
  for (bool again = true; again;) {
    again = false;
    for (const std::string& prefix : prefixes) {
      if (prefix.empty() ||
          !std::all_of(names.begin(), names.end(), [&](const std::string& name) { return name.starts_with(prefix); }))
        continue;
      for (std::string& name : names) name.erase(0, prefix.size());
      again = !names.empty();
    }
  }
  return names;
}

/// What all attempts with one mapping have in common.
struct Renamed {
  std::vector<NamedTensor> tensors;
  std::vector<std::string> ignored, unexpected;
};

Renamed apply(const Mapping& mapping, const std::vector<NamedTensor>& tensors) {
  Renamed result;
  const std::vector<std::string> names = stripped(tensors, mapping.strip);
  std::set<std::string> taken;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (matches_any(mapping.ignore, names[i])) {
      result.ignored.push_back(tensors[i].name);
      continue;
    }
    const std::optional<std::string> ours = renamed(mapping, names[i]);
    if (!ours || !taken.insert(*ours).second) {
      result.unexpected.push_back(printable(tensors[i].name));
    } else {
      result.tensors.push_back({*ours, tensors[i].tensor, false});
    }
  }
  return result;
}

/// Rows of the head's last layer: classes, or the width of the embedding. An absent head counts as one row and shows up
/// as missing.
NetworkSpec find_head(const Mapping& mapping, const std::vector<NamedTensor>& tensors) {
  NetworkSpec spec;
  const Mapping::Head* chosen = &mapping.head.front();
  std::int64_t rows = 1;
  for (const Mapping::Head& head : mapping.head) {
    const auto found =
        std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& one) { return one.name == head.tensor; });
    if (found == tensors.end()) continue;
    chosen = &head;
    constexpr std::int64_t kMost = 1 << 20;
    if (found->tensor.dim() > 0) rows = std::clamp<std::int64_t>(found->tensor.size(0), 1, kMost);
    break;
  }
  if (chosen->kind == "linear") {
    spec.head = HeadKind::linear;
    spec.classes = rows;
  } else {
    spec.head = HeadKind::embedding;
    spec.classes = 0;
    spec.projection = chosen->projection;
    spec.embedding_dim = rows;
  }
  return spec;
}

/// Tensors that a file may lack, and numbers of another precision, as the network has them.
void complete(Attempt& attempt, const std::vector<NamedTensor>& expected) {
  std::map<std::string_view, std::size_t> given;
  for (std::size_t i = 0; i < attempt.tensors.size(); ++i) given[attempt.tensors[i].name] = i;
  std::vector<NamedTensor> added;
  for (const NamedTensor& named : expected) {
    const auto found = given.find(named.name);
    if (found == given.end()) {
      // Only counters may be absent: they start at 0.
      if (named.tensor.dim() == 0 && matches_any(attempt.mapping->optional, named.name)) {
        added.push_back({named.name, at::scalar_tensor(0, at::TensorOptions(named.tensor.scalar_type())), false});
      }
      continue;
    }
    NamedTensor& own = attempt.tensors[found->second];
    const at::ScalarType have = own.tensor.scalar_type(), want = named.tensor.scalar_type();
    const bool both_float = at::isFloatingType(have) && at::isFloatingType(want);
    const bool both_integer = at::isIntegralType(have, false) && at::isIntegralType(want, false);
    if (have != want && own.tensor.sizes() == named.tensor.sizes() && (both_float || both_integer))
      own.tensor = own.tensor.to(want);
  }
  attempt.tensors.insert(attempt.tensors.end(), added.begin(), added.end());
}

std::vector<Attempt> attempts(const std::vector<Mapping>& mappings, const std::vector<NamedTensor>& tensors,
                              const ImportOptions& options) {
  std::vector<Attempt> all;
  for (const Mapping& mapping : mappings) {
    const Renamed renamed = apply(mapping, tensors);
    for (const std::string& architecture : mapping.architectures) {
      if (!options.architecture.empty() && architecture != options.architecture) continue;
      const std::int64_t native = native_image_size(architecture);
      Attempt attempt{.mapping = &mapping,
                      .spec = find_head(mapping, renamed.tensors),
                      .tensors = renamed.tensors,
                      .ignored = renamed.ignored};
      attempt.spec.architecture = architecture;
      attempt.spec.in_channels = options.in_channels;
      attempt.spec.height = attempt.spec.width =
          native;  // shapes of weights do not depend on it; the wanted size is checked at the end
      attempt.native_size = options.height == native && options.width == native;
      const std::vector<NamedTensor> expected = make_shape_network(attempt.spec)->named_tensors();
      complete(attempt, expected);
      attempt.mismatch = compare_tensors(expected, attempt.tensors);
      attempt.mismatch.unexpected.insert(attempt.mismatch.unexpected.end(), renamed.unexpected.begin(),
                                         renamed.unexpected.end());
      all.push_back(std::move(attempt));
    }
  }
  return all;
}

[[noreturn]] void refuse(const Attempt& best, const std::vector<Mapping>& mappings,
                         const std::vector<NamedTensor>& tensors, const std::string& source) {
  for (const Mapping& mapping : mappings) {
    const std::vector<std::string> names = stripped(tensors, mapping.strip);
    for (const Mapping::Refusal& refusal : mapping.refuse) {
      const auto found = std::find_if(names.begin(), names.end(),
                                      [&](const auto& name) { return match_pattern(refusal.name, name).has_value(); });
      if (found != names.end())
        throw Error(ErrorKind::data, fmt::format("{}: '{}': {}", source, printable(*found), refusal.reason));
    }
  }
  throw Error(
      ErrorKind::data,
      fmt::format("{}: fits no known network; the nearest is {} by the mapping {}: {} (names as nearfar has them; "
                  "`missing` and `wrong shape`, and `unexpected` where a rule renamed them)",
                  source, best.spec.architecture, best.mapping->name, best.mismatch.text()));
}

/// In the network's order, so that the same weights give the same bytes whatever order a file has.
std::vector<NamedTensor> in_order(const NetworkSpec& spec, const std::vector<NamedTensor>& tensors) {
  std::map<std::string_view, at::Tensor> by_name;
  for (const NamedTensor& named : tensors) by_name[named.name] = named.tensor;
  std::vector<NamedTensor> sorted = make_shape_network(spec)->named_tensors();
  for (NamedTensor& named : sorted) named.tensor = by_name.at(named.name);
  return sorted;
}

/// The spec with the size of the images asked for.
NetworkSpec sized(NetworkSpec spec, const ImportOptions& options) {
  if (options.height > 0) spec.height = options.height;
  if (options.width > 0) spec.width = options.width;
  make_shape_network(spec);  // Error(config) for a size that the architecture does not take
  return spec;
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
  const std::vector<Mapping> mappings = read_mappings(options.mappings);
  const std::vector<Attempt> all = attempts(mappings, tensors, options);
  if (all.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("{}: no mapping in {} is for {}", source, options.mappings.string(), options.architecture));
  }
  const Attempt& best = *std::min_element(all.begin(), all.end(), [](const Attempt& a, const Attempt& b) {
    return std::pair(a.mismatch.count(), !a.native_size) < std::pair(b.mismatch.count(), !b.native_size);
  });
  if (best.mismatch.count() > 0) refuse(best, mappings, tensors, source);

  Imported imported;
  imported.spec = sized(best.spec, options);
  imported.mapping = best.mapping->name;
  imported.tensors = in_order(best.spec, best.tensors);
  imported.ignored = best.ignored;
  const std::set<std::string> ignored(best.ignored.begin(), best.ignored.end());
  for (const NamedTensor& named : tensors) {
    const at::ScalarType type = named.tensor.scalar_type();
    if (at::isFloatingType(type) && type != at::kFloat && !ignored.contains(named.name)) {
      imported.converted.push_back(fmt::format("{}: {}", named.name, c10::toString(type)));
    }
  }
  return imported;
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
  Imported imported = import_tensors(parse_torch_file(map.bytes(), source), source, options);
  imported.format = "torch";
  return imported;
}

std::unique_ptr<Network> network_of(const Imported& imported) {
  check_tensors(imported.spec, imported.tensors, "imported weights");
  std::unique_ptr<Network> network = make_empty_network(imported.spec);
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
