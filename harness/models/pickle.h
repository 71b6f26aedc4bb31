#pragma once
/// A reader of the pickles that torch.save writes: protocol 2, and only the opcodes that those use. Nothing is executed
/// or looked up: a global is a word. Those on a list mean something here (an OrderedDict, a tensor, a storage's type);
/// what is made with any other (a Namespace, a path, a date, a numpy scalar, a module) becomes an inert object of which
/// its name alone is kept. Words that only an attack has (os.system, builtins.eval) refuse the file by name.
/// https://github.com/python/cpython/blob/main/Lib/pickletools.py describes the opcodes.
#include <c10/core/ScalarType.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// Indices instead of pointers: hostile nesting, sharing and cycles cost nothing.
struct PickleValue {
  enum class Kind { none, boolean, integer, real, text, list, tuple, dict, global, storage, tensor, object };
  Kind kind = Kind::none;
  std::uint32_t depth = 0;   ///< of the containers below it
  std::int64_t integer = 0;  ///< boolean, integer; tensor: index into tensors; storage: its number of elements
  at::ScalarType type{};     ///< storage
  /// text; global: "module.name", and "module\nname" of one that means nothing here; object: the same of what made it;
  /// storage: its key. Points into the pickle or is static.
  std::string_view text = {};
  std::vector<std::uint32_t> items = {};  ///< list, tuple; dict: key, value, key, value
};

/// A tensor whose every element lies in its storage: checked.
struct PickledTensor {
  std::string_view storage;  ///< its key: the archive's entry data/KEY
  std::int64_t storage_bytes = 0;
  at::ScalarType type{};
  std::int64_t offset = 0;  ///< elements
  std::vector<std::int64_t> sizes, strides;
};

struct Pickle {
  std::vector<PickleValue> values;
  std::vector<PickledTensor> tensors;
  std::uint32_t root = 0;

  const PickleValue& top() const { return values[root]; }
};

/// The bytes are borrowed and outlive the result. Error(data) naming `name`, the byte and the reason: an opcode outside
/// the list or a global of an attack (by name), a truncated or inconsistent pickle, more than 16 MiB, a million values,
/// 64 levels, or a tensor that leaves its storage, has more elements than it (an expanded one) or an element type that
/// networks do not use.
Pickle read_pickle(std::span<const std::byte> bytes, const std::string& name);

/// "a dict", "an integer", … for messages.
const char* kind_text(PickleValue::Kind kind);
/// The same, and of an object or a global what made it: "an object of 'argparse.Namespace'".
std::string value_text(const PickleValue& value);

}  // namespace nearfar
