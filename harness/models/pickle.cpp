#include "models/pickle.h"

#include "base/error.h"
#include "models/byte_reader.h"
#include "models/mismatch.h"
#include "models/pickle_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>

namespace nearfar {
namespace {

using Kind = PickleValue::Kind;
using Index = std::uint32_t;

constexpr std::size_t kMaxBytes = 16u << 20;
constexpr std::size_t kMaxValues = 1u << 20;
constexpr std::size_t kMaxMarks = 64;
constexpr std::uint32_t kMaxDepth = 64;
constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxDimensions = 16, kMaxArguments = 16;
constexpr Index kNoValue = std::numeric_limits<Index>::max();

/// The stack machine. Values are created once, by the opcode that reads them, and live in one vector.
class Machine {
 public:
  Machine(std::span<const std::byte> bytes, const std::string& name) : reader_(bytes), file_(name) {
    if (bytes.size() > kMaxBytes)
      fail(
          fmt::format("{} bytes, at most {} are allowed; are there arrays of numpy in it? Weights are tensors, which "
                      "lie beside the pickle",
                      bytes.size(), kMaxBytes));
  }

  Pickle run() {
    while (step(take<std::uint8_t>())) {
    }
    if (reader_.left() > 0) fail(fmt::format("{} bytes follow its end", reader_.left()));
    if (!marks_.empty() || !stack_.empty()) fail("it ends with values left on the stack");
    return std::move(pickle_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, fmt::format("{}: refused pickle, byte {}: {}", file_, reader_.position(), what));
  }

  /// One opcode; false after the last one.
  bool step(unsigned code) {
    switch (code) {
      case 0x80:  // PROTO
        return protocol(take<std::uint8_t>());
      case '.': {  // STOP
        pickle_.root = pop();
        return false;
      }
      case '(':  // MARK
        if (marks_.size() >= kMaxMarks) fail(fmt::format("nested deeper than {} levels", kMaxMarks));
        marks_.push_back(stack_.size());
        return true;
      case 'N':
        return push({.kind = Kind::none});
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        return push({.kind = Kind::boolean, .integer = code == 0x88});
      case 'K':  // BININT1
        return push_integer(take<std::uint8_t>());
      case 'M':  // BININT2
        return push_integer(take<std::uint16_t>());
      case 'J':  // BININT
        return push_integer(take<std::int32_t>());
      case 0x8a:  // LONG1
        return long_integer(take<std::uint8_t>());
      case 'G':  // BINFLOAT: big-endian; its value is never used
        take<std::uint64_t>();
        return push({.kind = Kind::real});
      case 'X':  // BINUNICODE
        return push({.kind = Kind::text, .text = text(take<std::uint32_t>())});
      case 'c':
        return global();
      case 'q':  // BINPUT
        return put(take<std::uint8_t>());
      case 'r':  // LONG_BINPUT
        return put(take<std::uint32_t>());
      case 'h':  // BINGET
        return get(take<std::uint8_t>());
      case 'j':  // LONG_BINGET
        return get(take<std::uint32_t>());
      default:
        return container(code);
    }
  }

  bool container(unsigned code) {
    switch (code) {
      case ')':
        return push({.kind = Kind::tuple});
      case ']':
        return push({.kind = Kind::list});
      case '}':
        return push({.kind = Kind::dict});
      case 't':
        return tuple(since_mark());
      case 0x85:
      case 0x86:
      case 0x87:
        return tuple(pop(code - 0x84));
      case 'a':  // APPEND
        return extend(Kind::list, pop(1));
      case 'e':  // APPENDS
        return extend(Kind::list, since_mark());
      case 's':  // SETITEM
        return extend(Kind::dict, pop(2));
      case 'u':  // SETITEMS
        return extend(Kind::dict, since_mark());
      case 'b': {  // BUILD: attributes: an OrderedDict's _metadata, an object's contents. They hold no tensors we need
        pop();
        const Kind kind = value(top()).kind;
        if (kind != Kind::dict && kind != Kind::object)
          fail(fmt::format("BUILD on {}, expected a dict or an object", kind_text(kind)));
        return true;
      }
      case 0x81: {  // NEWOBJ
        const Index arguments = pop();
        expect(arguments, Kind::tuple, "the arguments of a class");
        return value(top()).text == kOrderedDict ? reduce(arguments) : object(pop());
      }
      case 'Q':  // BINPERSID
        return storage(pop());
      case 'R':
        return reduce(pop());
      default:
        fail(fmt::format("opcode {} is not one of a state dict", opcode_text(code)));
    }
  }

  template <class T>
  T take() {
    const auto number = reader_.number<T>();
    if (!number) fail("it is cut off");
    return *number;
  }

  std::string_view text(std::uint64_t size) {
    const auto found = reader_.text(size);
    if (!found) fail(fmt::format("a text of {} bytes, {} are left", size, reader_.left()));
    return *found;
  }

  bool protocol(unsigned version) const {
    if (version == 2) return true;
    fail(fmt::format("pickle protocol {}, expected 2: save again with torch.save's default pickle_protocol", version));
  }

  PickleValue& value(Index index) { return pickle_.values[index]; }

  bool push(PickleValue&& made) {
    if (pickle_.values.size() >= kMaxValues) fail(fmt::format("more than {} values", kMaxValues));
    pickle_.values.push_back(std::move(made));
    stack_.push_back(static_cast<Index>(pickle_.values.size() - 1));
    return true;
  }
  bool push_integer(std::int64_t number) { return push({.kind = Kind::integer, .integer = number}); }

  bool long_integer(std::size_t size) {
    const std::string_view digits = text(size);
    if (size > sizeof(std::int64_t))
      return push({.kind = Kind::real});  // too large for any count of ours: only "some number"
    std::uint64_t number = size > 0 && (static_cast<unsigned char>(digits.back()) & 0x80) ? ~std::uint64_t{0} : 0;
    std::memcpy(&number, digits.data(), size);
    return push_integer(std::bit_cast<std::int64_t>(number));
  }

  /// The values above the last mark, or the whole stack, may be taken; never what lies below it.
  std::size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  Index top() {
    if (available() == 0) fail("its stack is empty");
    return stack_.back();
  }
  Index pop() {
    const Index index = top();
    stack_.pop_back();
    return index;
  }
  std::vector<Index> pop(std::size_t count) {
    if (available() < count) fail("its stack is empty");
    std::vector<Index> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<Index> since_mark() {
    if (marks_.empty()) fail("a mark is missing");
    std::vector<Index> items = pop(available());
    marks_.pop_back();
    return items;
  }

  bool put(std::size_t slot) {
    if (slot >= kMaxValues) fail(fmt::format("memo slot {}, at most {} are allowed", slot, kMaxValues));
    if (slot >= memo_.size()) memo_.resize(slot + 1, kNoValue);
    memo_[slot] = top();
    return true;
  }
  bool get(std::size_t slot) {
    if (slot >= memo_.size() || memo_[slot] == kNoValue) fail(fmt::format("memo slot {} is empty", slot));
    stack_.push_back(memo_[slot]);
    return true;
  }

  std::string_view line() {
    std::size_t size = 0;
    ByteReader ahead = reader_;
    while (take_from(ahead) != '\n') {
      if (++size > kMaxName) fail(fmt::format("the name of a global is longer than {} bytes", kMaxName));
    }
    const std::string_view found = text(size);
    take<std::uint8_t>();
    return found;
  }
  char take_from(ByteReader& reader) const {
    const auto c = reader.number<char>();
    if (!c) fail("it is cut off in the name of a global");
    return *c;
  }

  bool global() {
    const std::string_view module = line(), name = line();
    if (is_attack(module, name)) {
      fail(
          fmt::format("it names '{}', which no file of weights needs: Python would run it when it reads this file. Do "
                      "not load it elsewhere either",
                      printable(fmt::format("{}.{}", module, name))));
    }
    // The bytes "module\nname" of one that means nothing here.
    const std::string_view raw(module.data(), module.size() + 1 + name.size());
    return push({.kind = Kind::global, .text = known_global(fmt::format("{}.{}", module, name)).value_or(raw)});
  }

  /// What is made with a global that means nothing here, or with such an object.
  bool object(Index maker) {
    const PickleValue& from = value(maker);
    if (from.kind != Kind::global && from.kind != Kind::object)
      fail(fmt::format("what is called is {}, expected a global", kind_text(from.kind)));
    return push({.kind = Kind::object, .text = from.text});
  }

  std::uint32_t depth_of(const std::vector<Index>& items) {
    std::uint32_t depth = 0;
    for (const Index item : items) depth = std::max(depth, value(item).depth);
    if (depth >= kMaxDepth) fail(fmt::format("nested deeper than {} levels", kMaxDepth));
    return depth + 1;
  }

  bool tuple(std::vector<Index> items) {
    const std::uint32_t depth = depth_of(items);
    return push({.kind = Kind::tuple, .depth = depth, .items = std::move(items)});
  }

  bool extend(Kind kind, const std::vector<Index>& items) {
    PickleValue& target = value(top());
    if (target.kind == Kind::object) return true;  // a subclass of list or dict: not ours to know
    if (target.kind != kind)
      fail(fmt::format("an item is put into {}, expected {}", kind_text(target.kind), kind_text(kind)));
    if (kind == Kind::dict && items.size() % 2 != 0)
      fail(fmt::format("SETITEMS with {} values: a key without a value", items.size()));
    target.depth = std::max(target.depth, depth_of(items));
    if (items_ + items.size() > 4 * kMaxValues) fail("too many items");
    items_ += items.size();
    target.items.insert(target.items.end(), items.begin(), items.end());
    return true;
  }

  const PickleValue& expect(Index index, Kind kind, const char* what) {
    const PickleValue& found = value(index);
    if (found.kind != kind) fail(fmt::format("{} is {}, expected {}", what, kind_text(found.kind), kind_text(kind)));
    return found;
  }

  /// ('storage', type, key, location, number of elements)
  bool storage(Index id) {
    const std::vector<Index>& items = expect(id, Kind::tuple, "a persistent id").items;
    if (items.size() != 5 || value(items[0]).kind != Kind::text || value(items[0]).text != "storage") {
      fail("a persistent id that is no storage of a zip file");
    }
    const std::string_view type = expect(items[1], Kind::global, "a storage's type").text;
    PickleValue made{.kind = Kind::storage};
    made.text = expect(items[2], Kind::text, "a storage's key").text;
    made.integer = expect(items[4], Kind::integer, "a storage's size").integer;
    const std::optional<at::ScalarType> known = storage_type(type);
    if (!known && type != kUntyped) return object(items[1]);  // complex or quantised numbers
    made.type = known.value_or(at::kByte);
    if (made.integer < 0 || made.integer > std::numeric_limits<std::int64_t>::max() / 8) {
      fail(fmt::format("storage '{}' has {} elements", printable(made.text), made.integer));
    }
    return push(std::move(made));
  }

  bool reduce(Index arguments) {
    const Index callable = pop();
    expect(arguments, Kind::tuple, "the arguments of a call");
    if (value(callable).kind == Kind::object) return object(callable);
    const std::string_view name = expect(callable, Kind::global, "what is called").text;
    if (name.find('\n') != std::string_view::npos) return object(callable);
    if (value(arguments).items.size() > kMaxArguments) fail("a call with too many arguments");
    const std::vector<Index> items = value(arguments).items;
    if (name == kDefaultDict) return push({.kind = Kind::dict});
    if (name == kOrderedDict) {
      if (!items.empty()) fail("an OrderedDict with arguments");
      return push({.kind = Kind::dict});
    }
    if (name == kParameter || name == kParameterState) {  // (tensor, requires_grad, hooks[, attributes])
      if (items.empty()) fail("a Parameter without arguments");
      if (value(items[0]).kind != Kind::object) expect(items[0], Kind::tensor, "the data of a Parameter");
      stack_.push_back(items[0]);
      return true;
    }
    if (name == kTensor2 || name == kTensor3) return tensor(name, items);
    fail(fmt::format("'{}' is called, but is no function", name));
  }

  std::vector<std::int64_t> integers(Index index, const char* what) {
    std::vector<std::int64_t> numbers;
    const std::vector<Index>& items = expect(index, Kind::tuple, what).items;
    if (items.size() > kMaxDimensions)
      fail(fmt::format("a tensor of {} dimensions, at most {} are allowed", items.size(), kMaxDimensions));
    for (const Index item : items) {
      const std::int64_t number = expect(item, Kind::integer, what).integer;
      if (number < 0) fail(fmt::format("{}: {} is negative", what, number));
      numbers.push_back(number);
    }
    return numbers;
  }

  /// (storage, offset, sizes, strides, requires_grad, hooks[, dtype])
  bool tensor(std::string_view callable, const std::vector<Index>& items) {
    const std::size_t least = callable == kTensor3 ? 7 : 4;
    if (items.size() < least) fail(fmt::format("a tensor with {} arguments, expected {}", items.size(), least));
    if (value(items[0]).kind == Kind::object) return object(items[0]);  // of a type that is not read
    const PickleValue& storage = expect(items[0], Kind::storage, "a tensor's storage");
    PickledTensor made;
    made.storage = storage.text;
    made.storage_bytes = storage.integer * static_cast<std::int64_t>(c10::elementSize(storage.type));
    made.type = storage.type;
    made.offset = expect(items[1], Kind::integer, "a tensor's offset").integer;
    if (made.offset < 0) fail(fmt::format("a tensor's offset: {} is negative", made.offset));
    made.sizes = integers(items[2], "a tensor's sizes");
    made.strides = integers(items[3], "a tensor's strides");
    if (callable == kTensor3) {
      const std::string_view name = expect(items[6], Kind::global, "a tensor's dtype").text;
      const std::optional<at::ScalarType> known = dtype_type(name);
      if (!known) return object(items[6]);
      made.type = *known;
    }
    check_bounds(made);
    pickle_.tensors.push_back(std::move(made));
    return push({.kind = Kind::tensor, .integer = static_cast<std::int64_t>(pickle_.tensors.size() - 1)});
  }

  /// Every element lies in the storage, and there are no more elements than the storage has.
  void check_bounds(const PickledTensor& tensor) const {
    if (tensor.sizes.size() != tensor.strides.size()) {
      fail(fmt::format("a tensor with {} sizes and {} strides", tensor.sizes.size(), tensor.strides.size()));
    }
    const std::int64_t elements = tensor.storage_bytes / static_cast<std::int64_t>(c10::elementSize(tensor.type));
    const bool empty = std::find(tensor.sizes.begin(), tensor.sizes.end(), 0) != tensor.sizes.end();
    std::int64_t count = 1, last = tensor.offset;
    for (std::size_t i = 0; i < tensor.sizes.size(); ++i) {
      const std::int64_t size = std::max<std::int64_t>(tensor.sizes[i], 1);
      std::int64_t reach = 0;
      if (__builtin_mul_overflow(count, size, &count) || __builtin_mul_overflow(size - 1, tensor.strides[i], &reach) ||
          __builtin_add_overflow(last, reach, &last)) {
        fail("a tensor's sizes x strides overflow");
      }
    }
    const std::string where = fmt::format("storage '{}' of {} elements", printable(tensor.storage), elements);
    if (empty ? tensor.offset > elements : last >= elements) {
      fail(fmt::format("a tensor's element {} lies outside {}", empty ? tensor.offset : last, where));
    }
    if (!empty && count > elements)
      fail(fmt::format("a tensor of {} elements over {}: an expanded one; save .contiguous()", count, where));
  }

  ByteReader reader_;
  const std::string& file_;
  Pickle pickle_;
  std::vector<Index> stack_, memo_;
  std::vector<std::size_t> marks_;
  std::size_t items_ = 0;
};

}  // namespace

Pickle read_pickle(std::span<const std::byte> bytes, const std::string& name) { return Machine(bytes, name).run(); }

}  // namespace nearfar
