#pragma once
/// The graph of a program that torch.export.save wrote, as plain data: operators by name, values by number, each made
/// once before it is read. Nothing here knows an operator or holds a number of the network. Pure functions; no torch;
/// safe from any thread. Format: torch/_export/serde/schema.py, version 8.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar::exported {

using ValueId = std::int32_t;  ///< index into Graph::values
inline constexpr ValueId kNoValue = -1;

/// One element of an argument: a value of the graph, or, where `value` is kNoValue, a constant.
struct Operand {
  ValueId value = kNoValue;
  std::int64_t number = 0;  ///< integers, flags, enumerations of the format
  double real = 0;
};

struct Argument {
  enum class Kind {
    none,
    tensor,
    tensors,  ///< an element without a value is None
    integer,
    integers,
    real,
    reals,
    flag,
    flags,
    text,
    dtype,  ///< `number` is the format's ScalarType; the three below likewise
    layout,
    memory_format,
    device,
  };
  Kind kind = Kind::none;
  std::string name = {};               ///< of the operator's parameter
  std::vector<Operand> operands = {};  ///< one, but for the plural kinds
  std::string text = {};               ///< text, and the type of a device
};
std::string_view kind_name(Argument::Kind kind);

struct Result {
  std::vector<ValueId> values = {};  ///< kNoValue: not used by anything
  bool list = false;                 ///< the operator returns a list
};

struct Node {
  std::string name = {};    ///< that of its first value
  std::string target = {};  ///< "torch.ops.aten.conv2d.default", "_operator.mul"
  std::vector<Argument> inputs = {};
  std::vector<Result> results = {};
};

struct Dimension {
  std::string symbol = {};   ///< of one that depends on the input: the same symbol, the same number
  std::int64_t size = 0;     ///< 0: it depends on the input
  std::int64_t example = 0;  ///< of one that does: what it was exported with, 0 if the file does not say
  std::int64_t least = 1, most = INT64_C(1) << 40;  ///< of one that does, as far as it is said
};

struct Value {
  std::string name = {};
  std::int32_t producer = -1;  ///< index into Graph::nodes; -1: an input of the graph
  bool has_shape = false;      ///< a tensor whose shape the file tells
  int dtype = 0;               ///< the format's ScalarType
  std::vector<Dimension> shape = {};
};

/// An input of the graph that the file brings.
struct Constant {
  ValueId value = kNoValue;
  std::string name = {};  ///< of the tensor in the module: "layer1.0.conv1.weight"
  enum class Kind { parameter, buffer, tensor } kind = Kind::parameter;
};

struct Graph {
  std::vector<Value> values = {};
  std::vector<Node> nodes = {};  ///< every node reads what stands before it
  std::vector<Constant> constants = {};
  ValueId input = kNoValue;   ///< the images
  ValueId output = kNoValue;  ///< the one tensor that is returned
  std::string torch_version = {};

  /// kNoValue: there is none of that name.
  ValueId find(std::string_view name) const;
};

/// Reads model.json. Error(data) naming `source`, the node and what is wrong with it: no JSON, too large or too deep,
/// of another version, more than one image input or output tensor, values read before they are made (a cycle), made
/// twice or never, arguments of kinds that only programs with subgraphs, scripts or custom objects have, state that is
/// changed.
Graph parse_graph(std::string_view json, const std::string& source);

/// "Float [N,3,224,224]": of a value whose shape is known, else "a value".
std::string shape_text(const Value& value);
/// "Float"; "an unknown type".
std::string_view dtype_name(int dtype);

}  // namespace nearfar::exported
