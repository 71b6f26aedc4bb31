#include "models/exported/archive.h"

#include "base/error.h"
#include "base/files.h"
#include "models/exported/json_reader.h"
#include "models/mismatch.h"
#include "models/zip_file.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace nearfar::exported {
namespace {

constexpr std::uint64_t kMaxSharing = 4;  // bytes of all tensors by bytes of the file: tied weights are copied
constexpr std::size_t kMaxDimensions = 16;

std::string_view text_of(const ZipEntry& entry) {
  return {reinterpret_cast<const char*>(entry.data.data()), entry.data.size()};
}

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& name)
      : file_(name), size_(bytes.size()), json_(name), zip_((check_kind(bytes), bytes), name), prefix_(find_prefix()) {}

  Export read() {
    if (const ZipEntry* order = zip_.find(prefix_ + "byteorder"); order != nullptr && text_of(*order) != "little")
      fail(fmt::format("its bytes are in '{}' order, expected 'little'", printable(text_of(*order))));
    const std::string model = find_model();
    Export result{.graph = parse_graph(text_of(*zip_.find(fmt::format("{}models/{}.json", prefix_, model))), file_)};
    const Json weights = config(fmt::format("data/weights/{}_weights_config.json", model));
    const Json constants = config(fmt::format("data/constants/{}_constants_config.json", model));
    for (const Constant& constant : result.graph.constants) {
      const std::string where = fmt::format("tensor '{}'", printable(constant.name));
      if (const auto found = weights.find(constant.name); found != weights.end()) {
        result.constants.push_back(tensor(*found, "data/weights/", where));
      } else if (const auto other = constants.find(constant.name); other != constants.end()) {
        result.constants.push_back(tensor(*other, "data/constants/", where));
      } else {
        fail(where + " is missing");
      }
    }
    return result;
  }

 private:
  using Json = JsonReader::Json;

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, fmt::format("{}: not an exported program that can be read: {}", file_, what));
  }

  void check_kind(std::span<const std::byte> bytes) const {
    const std::string_view whole(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    // Told by its directory, at the end: it is compressed, which the reader of archives would say instead.
    const std::string_view directory = whole.substr(whole.size() - std::min<std::size_t>(whole.size(), 1u << 20));
    if (directory.find("/constants.pkl") != std::string_view::npos)
      fail("a TorchScript archive, which holds code; name it as model.torchscript");
    if (ZipFile::looks_like(bytes)) return;
    const std::string_view text = whole.substr(0, 16);
    fail(fmt::format("expected what torch.export.save writes, a zip archive; found '{}'", printable(text)));
  }

  /// The archive's folder, "NAME/".
  std::string find_prefix() const {
    constexpr std::string_view kFormat = "/archive_format";
    const auto has = [&](std::string_view ending) {
      return std::any_of(zip_.entries().begin(), zip_.entries().end(),
                         [&](const ZipEntry& entry) { return entry.name.ends_with(ending); });
    };
    for (const ZipEntry& entry : zip_.entries()) {
      if (!entry.name.ends_with(kFormat)) continue;
      std::string prefix(entry.name.substr(0, entry.name.size() - kFormat.size() + 1));
      if (text_of(entry) != "pt2") fail(fmt::format("its format is '{}', expected 'pt2'", printable(text_of(entry))));
      const ZipEntry* version = zip_.find(prefix + "archive_version");
      if (version != nullptr && text_of(*version) != "0") {
        fail(fmt::format("its container is version '{}', version 0 is read (PyTorch 2.8 to 2.11)",
                         printable(text_of(*version))));
      }
      return prefix;
    }
    if (has("serialized_exported_program.json"))
      fail("the container that torch.export.save wrote before PyTorch 2.8; export and save again with PyTorch 2.11");
    if (has("/data.pkl")) fail("a torch.save file; weights alone are named as model.checkpoint");
    fail("a zip archive without an entry NAME/archive_format");
  }

  /// "model" of its one entry models/model.json.
  std::string find_model() const {
    const std::string folder = prefix_ + "models/";
    std::string model;
    for (const ZipEntry& entry : zip_.entries()) {
      if (!entry.name.starts_with(folder) || !entry.name.ends_with(".json")) continue;
      if (!model.empty()) fail("it holds several programs; save one with torch.export.save");
      model = entry.name.substr(folder.size(), entry.name.size() - folder.size() - std::strlen(".json"));
    }
    if (!model.empty()) return model;
    fail("it holds no program (models/NAME.json); compiled code alone (AOTInductor, ExecuTorch) is not read");
  }

  Json config(const std::string& name) const {
    const ZipEntry* entry = zip_.find(prefix_ + name);
    if (entry == nullptr) return Json::object();
    return json_.table(json_.parse(text_of(*entry)), "config", name);
  }

  std::vector<std::int64_t> sizes(const Json& meta, const char* name, const std::string& where) const {
    std::vector<std::int64_t> result;
    for (const Json& one : json_.list(meta, name, where)) {
      const auto [kind, value] = json_.choice(one, where);
      if (kind != "as_int") json_.fail(where, fmt::format("its {} are '{}', expected integers", name, printable(kind)));
      result.push_back(json_.integer(value, where));
      if (result.back() < 0) json_.fail(where, fmt::format("a negative number in its {}", name));
    }
    if (result.size() > kMaxDimensions) json_.fail(where, fmt::format("it has {} dimensions", result.size()));
    return result;
  }

  at::Tensor tensor(const Json& payload, const std::string& folder, const std::string& where) {
    if (json_.flag(json_.member(payload, "use_pickle", where), where))
      json_.fail(where,
                 "it is pickled (a tensor of a class of its own), and pickles are not opened; make it a plain tensor "
                 "before the export");
    const Json& meta = json_.table(payload, "tensor_meta", where);
    const auto shape = sizes(meta, "sizes", where), strides = sizes(meta, "strides", where);
    if (shape.size() != strides.size()) json_.fail(where, "it has other numbers of sizes and strides");
    const Json& start = json_.member(meta, "storage_offset", where);
    const std::int64_t offset = json_.integer(json_.member(start, "as_int", where), where);
    const at::ScalarType type =
        scalar_type(json_.integer(json_.member(meta, "dtype", where), where), file_ + ": " + where);
    const std::string path = json_.text(payload, "path_name", where);
    const ZipEntry* entry = zip_.find(prefix_ + folder + path);
    if (entry == nullptr) json_.fail(where, fmt::format("its bytes, '{}', are missing", printable(folder + path)));
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return at::empty(shape, type);
    const std::size_t item = c10::elementSize(type), elements = entry->data.size() / item;
    std::uint64_t last = 0;
    bool beyond = offset < 0 || static_cast<std::uint64_t>(offset) >= elements;
    for (std::size_t i = 0; i < shape.size() && !beyond; ++i) {
      const auto steps = static_cast<std::uint64_t>(shape[i] - 1), stride = static_cast<std::uint64_t>(strides[i]);
      beyond = stride > 0 && steps > elements / stride;
      if (!beyond) last += steps * stride;
      beyond = beyond || last > elements;
    }
    if (beyond || static_cast<std::uint64_t>(offset) + last >= elements)
      json_.fail(where,
                 fmt::format("it reaches beyond the {} bytes of '{}'", entry->data.size(), printable(folder + path)));
    check_numel(shape, elements, where);
    const auto span =
        entry->data.subspan(static_cast<std::size_t>(offset) * item, static_cast<std::size_t>(last + 1) * item);
    bytes_ += span.size();
    if (bytes_ > kMaxSharing * size_)
      fail(fmt::format("its tensors share bytes and would need more than {} times its size", kMaxSharing));
    if (type == at::kBool &&
        std::any_of(span.begin(), span.end(), [](std::byte b) { return std::to_integer<int>(b) > 1; }))
      json_.fail(where, "a boolean that is neither 0 nor 1");
    at::Tensor flat = at::empty({static_cast<std::int64_t>(last + 1)}, type);
    std::memcpy(flat.mutable_data_ptr(), span.data(), span.size());
    return flat.as_strided(shape, strides);
  }

  /// An expanded tensor (stride 0) is small in the file and would be large once something copies it.
  void check_numel(const std::vector<std::int64_t>& shape, std::size_t elements, const std::string& where) const {
    const std::uint64_t most = elements * kMaxSharing + 1024;
    std::uint64_t count = 1;
    for (const std::int64_t size : shape) {
      if (static_cast<std::uint64_t>(size) > most / count) json_.fail(where, "it has far more elements than bytes");
      count *= static_cast<std::uint64_t>(size);
    }
  }

  const std::string& file_;
  std::uint64_t size_;
  JsonReader json_;
  ZipFile zip_;
  std::string prefix_;
  std::uint64_t bytes_ = 0;  ///< of tensors made so far
};

}  // namespace

at::ScalarType scalar_type(std::int64_t dtype, const std::string& where) {
  static constexpr std::array<at::ScalarType, 14> kTypes = {at::ScalarType::Undefined,
                                                            at::kByte,
                                                            at::kChar,
                                                            at::kShort,
                                                            at::kInt,
                                                            at::kLong,
                                                            at::kHalf,
                                                            at::kFloat,
                                                            at::kDouble,
                                                            at::ScalarType::Undefined,
                                                            at::ScalarType::Undefined,
                                                            at::ScalarType::Undefined,
                                                            at::kBool,
                                                            at::kBFloat16};
  const at::ScalarType type = dtype >= 0 && dtype < static_cast<std::int64_t>(kTypes.size())
                                  ? kTypes[static_cast<std::size_t>(dtype)]
                                  : at::ScalarType::Undefined;
  if (type == at::ScalarType::Undefined)
    throw Error(ErrorKind::data, fmt::format("{}: numbers of type {} ({}) are not read", where, dtype,
                                             dtype_name(static_cast<int>(dtype & 0xff))));
  return type;
}

Export parse_export(std::span<const std::byte> bytes, const std::string& name) { return Reader(bytes, name).read(); }

Export read_export(const std::filesystem::path& file) {
  const MappedFile map(file);
  return parse_export(map.bytes(), file.string());
}

}  // namespace nearfar::exported
