#include "models/pickle_words.h"

#include "models/mismatch.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

using Kind = PickleValue::Kind;

struct TypeName {
  std::string_view storage, dtype;
  at::ScalarType type;
};
constexpr TypeName kTypes[] = {
    {"torch.FloatStorage", "torch.float32", at::kFloat}, {"torch.DoubleStorage", "torch.float64", at::kDouble},
    {"torch.HalfStorage", "torch.float16", at::kHalf},   {"torch.BFloat16Storage", "torch.bfloat16", at::kBFloat16},
    {"torch.LongStorage", "torch.int64", at::kLong},     {"torch.IntStorage", "torch.int32", at::kInt},
    {"torch.ShortStorage", "torch.int16", at::kShort},   {"torch.CharStorage", "torch.int8", at::kChar},
    {"torch.ByteStorage", "torch.uint8", at::kByte},     {"torch.BoolStorage", "torch.bool", at::kBool},
};

}  // namespace

std::optional<std::string_view> known_global(std::string_view name) {
  for (const std::string_view known :
       {kOrderedDict, kDefaultDict, kParameter, kParameterState, kTensor2, kTensor3, kUntyped}) {
    if (name == known) return known;
  }
  for (const TypeName& known : kTypes) {
    if (name == known.storage) return known.storage;
    if (name == known.dtype) return known.dtype;
  }
  return std::nullopt;
}

bool is_attack(std::string_view module, std::string_view name) {
  const std::string_view root = module.substr(0, module.find('.'));
  for (const std::string_view bad : {"os", "posix", "nt", "subprocess", "sys", "runpy", "pty", "socket", "shutil",
                                     "code", "importlib", "ctypes", "commands", "webbrowser"}) {
    if (root == bad) return true;
  }
  if (root != "builtins" && root != "__builtin__") return false;
  for (const std::string_view bad : {"eval", "exec", "execfile", "compile", "open", "__import__", "input"}) {
    if (name == bad) return true;
  }
  return false;
}

std::optional<at::ScalarType> storage_type(std::string_view global) {
  for (const TypeName& known : kTypes) {
    if (global == known.storage) return known.type;
  }
  return std::nullopt;
}

std::optional<at::ScalarType> dtype_type(std::string_view global) {
  for (const TypeName& known : kTypes) {
    if (global == known.dtype) return known.type;
  }
  return std::nullopt;
}

std::string opcode_text(unsigned code) {
  struct Name {
    unsigned code;
    const char* name;
  };
  constexpr Name kNames[] = {{'i', "INST"},
                             {'o', "OBJ"},
                             {0x92, "NEWOBJ_EX"},
                             {0x93, "STACK_GLOBAL"},
                             {0x82, "EXT1"},
                             {0x83, "EXT2"},
                             {0x84, "EXT4"},
                             {'P', "PERSID"},
                             {'S', "STRING"},
                             {'T', "BINSTRING"},
                             {'U', "SHORT_BINSTRING"},
                             {'V', "UNICODE"},
                             {'F', "FLOAT"},
                             {'I', "INT"},
                             {'L', "LONG"},
                             {0x8b, "LONG4"},
                             {'0', "POP"},
                             {'1', "POP_MARK"},
                             {'2', "DUP"},
                             {'p', "PUT"},
                             {'g', "GET"},
                             {'l', "LIST"},
                             {'d', "DICT"},
                             {'B', "BINBYTES"},
                             {'C', "SHORT_BINBYTES"},
                             {0x8c, "SHORT_BINUNICODE"},
                             {0x8d, "BINUNICODE8"},
                             {0x8e, "BINBYTES8"},
                             {0x8f, "EMPTY_SET"},
                             {0x90, "ADDITEMS"},
                             {0x91, "FROZENSET"},
                             {0x94, "MEMOIZE"},
                             {0x95, "FRAME"},
                             {0x96, "BYTEARRAY8"},
                             {0x97, "NEXT_BUFFER"},
                             {0x98, "READONLY_BUFFER"}};
  for (const Name& known : kNames) {
    if (known.code == code) return fmt::format("{} (0x{:02x})", known.name, code);
  }
  return fmt::format("0x{:02x}", code);
}

const char* kind_text(PickleValue::Kind kind) {
  switch (kind) {
    case Kind::none:
      return "None";
    case Kind::boolean:
      return "a boolean";
    case Kind::integer:
      return "an integer";
    case Kind::real:
      return "a number";
    case Kind::text:
      return "a text";
    case Kind::list:
      return "a list";
    case Kind::tuple:
      return "a tuple";
    case Kind::dict:
      return "a dict";
    case Kind::global:
      return "a global";
    case Kind::storage:
      return "a storage";
    case Kind::tensor:
      return "a tensor";
    case Kind::object:
      return "an object";
  }
  return "?";
}

std::string value_text(const PickleValue& value) {
  if (value.kind != Kind::object && value.kind != Kind::global) return kind_text(value.kind);
  std::string name(value.text);
  std::replace(name.begin(), name.end(), '\n', '.');
  return fmt::format("{} '{}'", value.kind == Kind::object ? "an object of" : "the name", printable(name));
}

}  // namespace nearfar
