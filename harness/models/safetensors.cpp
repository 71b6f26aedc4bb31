#include "models/safetensors.h"

#include "base/error.h"
#include "base/files.h"
#include "models/mismatch.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

namespace nearfar {
namespace {

constexpr std::uint64_t kMaxHeader = 32u << 20;
constexpr std::size_t kMaxDimensions = 16;
constexpr std::size_t kMaxValues = 2'000'000;
constexpr int kMaxDepth = 3;  // header, tensor, its list

struct ElementType {
  const char* name;
  at::ScalarType type;
};
constexpr ElementType kElementTypes[] = {
    {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}, {"I64", at::kLong},
    {"I32", at::kInt},    {"I16", at::kShort}, {"I8", at::kChar},  {"U8", at::kByte},       {"BOOL", at::kBool},
};

const char* element_name(at::ScalarType type) {
  for (const ElementType& known : kElementTypes) {
    if (known.type == type) return known.name;
  }
  throw Error(ErrorKind::internal, fmt::format("safetensors: no element type for {}", c10::toString(type)));
}

/// What the header says about one tensor; checked against everything but its neighbours.
struct Entry {
  std::string name;
  at::ScalarType type{};
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), file_(name) {}

  TensorFile read() const {
    const std::span<const std::byte> bytes = bytes_;
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length) fail("", fmt::format("{} bytes are too few for a header", bytes.size()));
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > kMaxHeader)
      fail("", fmt::format("the header would be {} bytes, at most {} are allowed", length, kMaxHeader));
    if (length > bytes.size() - sizeof length)
      fail("", fmt::format("the header of {} bytes is longer than the file", length));
    const std::span<const std::byte> data = bytes.subspan(sizeof length + length);
    const nlohmann::json header = parse({reinterpret_cast<const char*>(bytes.data()) + sizeof length, length});

    TensorFile result;
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") {
        result.metadata = metadata(value);
      } else {
        entries.push_back(entry(name, value));
      }
    }
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    check_cover(entries, data.size());
    for (const Entry& one : entries) result.tensors.push_back({one.name, tensor(one, data), false});
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& tensor, const std::string& what) const {
    const std::string where = tensor.empty() ? "" : fmt::format("tensor '{}': ", printable(tensor));
    throw Error(ErrorKind::data, fmt::format("{}: not a valid safetensors file: {}{}", file_, where, what));
  }

  /// A JSON object without repeated keys at any level; its limits hold while it is read, before it takes memory.
  nlohmann::json parse(std::string_view text) const {
    if (text.empty() || text.front() != '{') fail("", "the header is not a JSON object");
    std::vector<std::set<std::string>> keys;
    std::string repeated;
    std::size_t count = 0;
    const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
      using Event = nlohmann::json::parse_event_t;
      if (depth >= kMaxDepth && (event == Event::object_start || event == Event::array_start))
        fail("", "the header is nested too deeply");
      if (++count > kMaxValues) fail("", fmt::format("the header has more than {} values", kMaxValues));
      if (event == Event::object_start)
        keys.resize(std::max<std::size_t>(keys.size(), static_cast<std::size_t>(depth) + 1));
      if (event == Event::object_start) keys[static_cast<std::size_t>(depth)].clear();
      if (event == Event::key && !keys[static_cast<std::size_t>(depth) - 1].insert(value.get<std::string>()).second) {
        repeated = value.get<std::string>();
      }
      return true;
    };
    nlohmann::json header;
    try {
      header = nlohmann::json::parse(text, watch);
    } catch (const nlohmann::json::exception& error) {
      fail("", fmt::format("broken header: {}", printable(error.what())));
    }
    if (!repeated.empty()) fail("", fmt::format("the header repeats '{}'", printable(repeated)));
    return header;
  }

  Metadata metadata(const nlohmann::json& value) const {
    if (!value.is_object()) fail("", "__metadata__ is not an object");
    Metadata result;
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) fail("", fmt::format("__metadata__ '{}' is not a string", printable(key)));
      result[key] = text.get<std::string>();
    }
    return result;
  }

  std::uint64_t natural(const std::string& tensor, const nlohmann::json& value, const char* what) const {
    if (!value.is_number_unsigned())
      fail(tensor, fmt::format("{} is {}, expected a whole number from 0", what, printable(value.dump())));
    return value.get<std::uint64_t>();
  }

  Entry entry(const std::string& name, const nlohmann::json& value) const {
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets")) {
      fail(name, "expected exactly dtype, shape and data_offsets");
    }
    Entry result;
    result.name = name;
    const nlohmann::json& type = value["dtype"];
    const auto* known = std::find_if(std::begin(kElementTypes), std::end(kElementTypes), [&](const ElementType& one) {
      return type.is_string() && type.get<std::string>() == one.name;
    });
    if (known == std::end(kElementTypes)) fail(name, fmt::format("unknown dtype {}", printable(type.dump())));
    result.type = known->type;

    const nlohmann::json& shape = value["shape"];
    if (!shape.is_array() || shape.size() > kMaxDimensions) fail(name, "shape is not a list of at most 16 sizes");
    std::uint64_t size = c10::elementSize(result.type);
    constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
    bool empty = false;
    for (const nlohmann::json& one : shape) {
      const std::uint64_t dimension = natural(name, one, "a size");
      if (dimension > kMax) fail(name, fmt::format("size {} is too large", dimension));
      empty = empty || dimension == 0;
      if (dimension != 0 && __builtin_mul_overflow(size, dimension, &size)) fail(name, "shape x dtype overflows");
      if (size > kMax) fail(name, "shape x dtype overflows");
      result.shape.push_back(static_cast<std::int64_t>(dimension));
    }
    if (empty) size = 0;

    const nlohmann::json& offsets = value["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2) fail(name, "data_offsets is not a pair");
    result.begin = natural(name, offsets[0], "an offset");
    result.end = natural(name, offsets[1], "an offset");
    if (result.end < result.begin)
      fail(name, fmt::format("data_offsets [{}, {}] are reversed", result.begin, result.end));
    if (result.end - result.begin != size) {
      fail(name, fmt::format("{} bytes of data, but shape x dtype is {}", result.end - result.begin, size));
    }
    return result;
  }

  /// Sorted ranges must cover the data exactly once.
  void check_cover(const std::vector<Entry>& entries, std::uint64_t size) const {
    std::uint64_t at = 0;
    for (const Entry& one : entries) {
      if (one.end > size) fail(one.name, fmt::format("data_offsets end at {}, the data at {}", one.end, size));
      if (one.begin != at)
        fail(one.name, fmt::format("data_offsets begin at {}, the one before ends at {}", one.begin, at));
      at = one.end;
    }
    if (at != size) fail("", fmt::format("{} bytes of data belong to no tensor", size - at));
  }

  at::Tensor tensor(const Entry& one, std::span<const std::byte> data) const {
    at::Tensor result = at::empty(one.shape, one.type);
    if (one.end == one.begin) return result;
    const std::span<const std::byte> range = data.subspan(one.begin, one.end - one.begin);
    if (one.type == at::kBool &&
        std::any_of(range.begin(), range.end(), [](std::byte b) { return std::to_integer<int>(b) > 1; })) {
      fail(one.name, "a BOOL that is neither 0 nor 1");
    }
    std::memcpy(result.mutable_data_ptr(), range.data(), range.size());
    return result;
  }

  std::span<const std::byte> bytes_;
  const std::string& file_;
};

}  // namespace

void write_safetensors(const std::filesystem::path& file, const std::vector<NamedTensor>& tensors,
                       const Metadata& metadata) {
  std::vector<NamedTensor> sorted;
  std::set<std::string> names{"__metadata__"};
  for (const NamedTensor& named : tensors) {
    if (!names.insert(named.name).second) throw Error(ErrorKind::internal, "safetensors: repeated name " + named.name);
    sorted.push_back({named.name, named.tensor.detach().cpu().contiguous(), false});
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const NamedTensor& a, const NamedTensor& b) {
    return a.tensor.element_size() > b.tensor.element_size();
  });

  nlohmann::ordered_json header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t at = 0;
  for (const NamedTensor& named : sorted) {
    const std::size_t size = named.tensor.nbytes();
    header[named.name] = {{"dtype", element_name(named.tensor.scalar_type())},
                          {"shape", named.tensor.sizes().vec()},
                          {"data_offsets", {at, at + size}}};
    at += size;
  }
  std::string head = header.is_null() ? "{}" : header.dump();
  head.resize((head.size() + 7) / 8 * 8, ' ');  // the format's padding: data start aligned

  const std::uint64_t length = head.size();
  std::string content(reinterpret_cast<const char*>(&length), sizeof length);
  content.reserve(sizeof length + head.size() + at);
  content += head;
  for (const NamedTensor& named : sorted) {
    if (named.tensor.nbytes() > 0)
      content.append(static_cast<const char*>(named.tensor.const_data_ptr()), named.tensor.nbytes());
  }
  write_file_atomic(file, content);
}

TensorFile read_safetensors(const std::filesystem::path& file) {
  const MappedFile map(file);
  return parse_safetensors(map.bytes(), file.string());
}

TensorFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  return Reader(bytes, name).read();
}

}  // namespace nearfar
