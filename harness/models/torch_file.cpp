#include "models/torch_file.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "models/byte_reader.h"
#include "models/mismatch.h"
#include "models/pickle.h"
#include "models/zip_file.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace nearfar {
namespace {

using Kind = PickleValue::Kind;

/// Tensors may share a storage (tied weights), but a small file must not become a large network.
constexpr std::uint64_t kMaxSharing = 4;
constexpr std::size_t kMaxNameLength = 512;
constexpr int kMaxLevel = 3;  // of dicts within dicts that may hold the weights
constexpr std::size_t kMaxDicts = 8, kMaxOthers = 100;
constexpr const char* kConvert =
    "convert it once with PyTorch: torch.save(torch.load(OLD, map_location='cpu', weights_only=True), NEW)";

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& name)
      : file_(name), size_(bytes.size()), zip_(open(bytes, name)) {}

  std::vector<StateDict> read() {
    prefix_ = find_prefix();
    if (const ZipEntry* order = zip_.find(prefix_ + "byteorder")) {
      const std::string_view text(reinterpret_cast<const char*>(order->data.data()), order->data.size());
      if (text != "little") fail(fmt::format("its byte order is '{}', only 'little' is read", printable(text)));
    }
    const Pickle pickle = read_pickle(zip_.find(prefix_ + "data.pkl")->data, file_);
    std::vector<Found> found;
    std::set<std::uint32_t> seen;
    collect(pickle, pickle.root, "", 0, seen, found);
    if (found.empty()) no_tensors(pickle);
    std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
      return std::pair(a.rank, b.tensors) < std::pair(b.rank, a.tensors);
    });
    found.resize(std::min(found.size(), kMaxDicts));
    std::vector<StateDict> dicts;
    for (const Found& one : found) dicts.push_back(state_dict(pickle, one));
    return dicts;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, fmt::format("{}: {}", file_, what));
  }

  static ZipFile open(std::span<const std::byte> bytes, const std::string& name) {
    if (!ZipFile::looks_like(bytes)) throw Error(ErrorKind::data, fmt::format("{}: {}", name, what_it_is(bytes)));
    return {bytes, name};
  }

  static std::string what_it_is(std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.starts_with("\x80\x02\x8a\x0a")) {
      return fmt::format("a torch.save file in the legacy format (before PyTorch 1.6), which is not read; {}",
                         kConvert);
    }
    if (text.size() > 262 && text.substr(257, 5) == "ustar") {
      return fmt::format("a tar archive: the oldest torch.save format, or one to unpack first; {}", kConvert);
    }
    if (text.starts_with("\x80")) return fmt::format("a bare pickle, not a torch.save file; {}", kConvert);
    return fmt::format("not a torch.save file: expected a zip archive, found '{}'", printable(text.substr(0, 16)));
  }

  /// The folder of the archive's only data.pkl: "NAME/".
  std::string find_prefix() const {
    constexpr std::string_view kPickle = "/data.pkl";
    std::string prefix;
    for (const ZipEntry& entry : zip_.entries()) {
      if (entry.name.ends_with("/constants.pkl"))
        fail("a TorchScript archive, which holds code; save net.state_dict() instead");
      if (!entry.name.ends_with(kPickle)) continue;
      if (!prefix.empty()) fail("two entries data.pkl");
      prefix = entry.name.substr(0, entry.name.size() - kPickle.size() + 1);
    }
    const auto exported = [](const ZipEntry& entry) { return entry.name.ends_with("/archive_format"); };
    if (prefix.empty() && std::any_of(zip_.entries().begin(), zip_.entries().end(), exported))
      fail("a whole network, exported by torch.export.save; name it as model.file");
    if (prefix.empty()) fail("a zip archive without an entry NAME/data.pkl: not a torch.save file");
    return prefix;
  }

  /// A dict with tensors in it.
  struct Found {
    std::uint32_t dict;
    std::string place;
    StateDict::Rank rank;
    std::size_t tensors;
  };

  /// By its outermost name: an average that a callback keeps for itself is not what the file is about.
  static StateDict::Rank rank_of(std::string_view place) {
    if (place.empty()) return StateDict::Rank::top;
    const std::string key(place.substr(0, place.find('.')));
    const std::vector<std::string> words = split(key, '_');
    if (std::find(words.begin(), words.end(), "ema") != words.end()) return StateDict::Rank::average;
    for (const std::string_view known : {"state_dict", "model_state_dict", "model_state", "model", "net", "network",
                                         "net_state_dict", "weights", "params"}) {
      if (key == known) return StateDict::Rank::weights;
    }
    return StateDict::Rank::elsewhere;
  }

  /// Every dict is looked at once, however often it is shared.
  static void collect(const Pickle& pickle, std::uint32_t index, const std::string& place, int level,
                      std::set<std::uint32_t>& seen, std::vector<Found>& found) {
    const PickleValue& dict = pickle.values[index];
    if (dict.kind != Kind::dict || !seen.insert(index).second) return;
    std::size_t tensors = 0;
    bool named = true;
    for (std::size_t i = 0; i < dict.items.size(); i += 2) {
      const PickleValue& key = pickle.values[dict.items[i]];
      tensors += pickle.values[dict.items[i + 1]].kind == Kind::tensor ? 1 : 0;
      named = named && key.kind == Kind::text;
      if (key.kind != Kind::text || level == kMaxLevel || key.text.starts_with("optim")) continue;
      const std::string inner = fmt::format("{}{}{}", place, place.empty() ? "" : ".", printable(key.text));
      collect(pickle, dict.items[i + 1], inner, level + 1, seen, found);
    }
    if (tensors > 0 && named) found.push_back({index, place, rank_of(place), tensors});
  }

  [[noreturn]] void no_tensors(const Pickle& pickle) const {
    constexpr const char* kSave = "save the weights alone: torch.save(net.state_dict(), NEW)";
    const PickleValue& top = pickle.top();
    if (top.kind != Kind::dict) fail(fmt::format("it holds {}, expected a state dict; {}", value_text(top), kSave));
    if (top.items.empty()) fail("its dict is empty");
    std::vector<std::string> entries;
    for (std::size_t i = 0; i < top.items.size() && entries.size() < 10; i += 2) {
      const PickleValue& key = pickle.values[top.items[i]];
      if (key.kind != Kind::text)
        fail(fmt::format("a key of its dict is {}, expected a name; {}", value_text(key), kSave));
      entries.push_back(entry_text(key.text, pickle.values[top.items[i + 1]]));
    }
    fail(fmt::format("no tensors: entry {}; {}", join(entries, ", "), kSave));
  }

  static std::string entry_text(std::string_view name, const PickleValue& value) {
    return fmt::format("'{}' is {}", printable(name), value_text(value));
  }

  StateDict state_dict(const Pickle& pickle, const Found& found) {
    StateDict result{.place = found.place, .rank = found.rank, .tensors = {}, .others = {}};
    std::set<std::string_view> names;
    const PickleValue& dict = pickle.values[found.dict];
    for (std::size_t i = 0; i < dict.items.size(); i += 2) {
      const std::string_view name = pickle.values[dict.items[i]].text;
      const PickleValue& value = pickle.values[dict.items[i + 1]];
      if (value.kind != Kind::tensor) {
        if (value.kind != Kind::dict && result.others.size() < kMaxOthers)
          result.others.push_back(entry_text(name, value));
        continue;
      }
      if (name.empty() || name.size() > kMaxNameLength)
        fail(fmt::format("a tensor's name is {} bytes long", name.size()));
      if (!names.insert(name).second) fail(fmt::format("tensor '{}' is there twice", printable(name)));
      result.tensors.push_back(
          {std::string(name), tensor(name, pickle.tensors[static_cast<std::size_t>(value.integer)]), false});
    }
    return result;
  }

  at::Tensor tensor(std::string_view name, const PickledTensor& pickled) {
    const ZipEntry* entry = zip_.find(fmt::format("{}data/{}", prefix_, pickled.storage));
    const std::string where =
        fmt::format("tensor '{}': storage 'data/{}'", printable(name), printable(pickled.storage));
    if (!entry) fail(where + " is missing");
    const auto expected = static_cast<std::uint64_t>(pickled.storage_bytes);
    if (entry->data.size() != expected)
      fail(fmt::format("{} has {} bytes, expected {}", where, entry->data.size(), expected));

    if (std::find(pickled.sizes.begin(), pickled.sizes.end(), 0) != pickled.sizes.end())
      return at::empty(pickled.sizes, pickled.type);
    std::int64_t contiguous = 1, last = 0;
    bool in_order = true;  // C order without gaps
    for (std::size_t i = pickled.sizes.size(); i-- > 0;) {
      in_order = in_order && (pickled.sizes[i] == 1 || pickled.strides[i] == contiguous);
      contiguous *= pickled.sizes[i];
      last += (pickled.sizes[i] - 1) * pickled.strides[i];
    }
    const std::size_t item = c10::elementSize(pickled.type);
    bytes_ += static_cast<std::uint64_t>(last + 1) * item;
    if (bytes_ > kMaxSharing * size_)
      fail(fmt::format("its tensors share storages and would need more than {} times its size", kMaxSharing));
    // Data in the file may lie at any address: copied first, put in order afterwards.
    const auto span =
        entry->data.subspan(static_cast<std::size_t>(pickled.offset) * item, static_cast<std::size_t>(last + 1) * item);
    if (pickled.type == at::kBool &&
        std::any_of(span.begin(), span.end(), [](std::byte b) { return std::to_integer<int>(b) > 1; })) {
      fail(fmt::format("tensor '{}': a boolean that is neither 0 nor 1", printable(name)));
    }
    at::Tensor flat = at::empty({last + 1}, pickled.type);
    std::memcpy(flat.mutable_data_ptr(), span.data(), span.size());
    return in_order ? flat.view(pickled.sizes)
                    : flat.as_strided(pickled.sizes, pickled.strides).clone(at::MemoryFormat::Contiguous);
  }

  const std::string& file_;
  std::uint64_t size_;
  ZipFile zip_;
  std::string prefix_;
  std::uint64_t bytes_ = 0;  ///< of tensors made so far
};

}  // namespace

std::vector<StateDict> read_torch_file(const std::filesystem::path& file) {
  const MappedFile map(file);
  return parse_torch_file(map.bytes(), file.string());
}

std::vector<StateDict> parse_torch_file(std::span<const std::byte> bytes, const std::string& name) {
  return Reader(bytes, name).read();
}

}  // namespace nearfar
