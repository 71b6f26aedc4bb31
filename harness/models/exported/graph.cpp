#include "models/exported/graph.h"

#include "base/error.h"
#include "base/text.h"
#include "models/exported/json_reader.h"
#include "models/mismatch.h"

#include <fmt/format.h>

#include <array>
#include <unordered_map>
#include <unordered_set>

namespace nearfar::exported {
namespace {
using Json = nlohmann::json;
using Kind = Argument::Kind;

constexpr std::int64_t kMajor = 8, kMinorOurs = 17;  // schema_version of PyTorch 2.11
constexpr std::size_t kMaxNodes = 500'000, kMaxDimensions = 16;

constexpr std::array<std::string_view, 14> kKindNames = {
    "None",   "a tensor", "tensors", "an integer", "integers", "a number",        "numbers",
    "a flag", "flags",    "text",    "a dtype",    "a layout", "a memory format", "a device"};

/// "s77" of "Symbol('s77', positive=True, integer=True)".
std::string symbol_of(const std::string& expression) {
  constexpr std::string_view kOpen = "Symbol('";
  if (!expression.starts_with(kOpen)) return expression;
  return expression.substr(kOpen.size(), expression.find('\'', kOpen.size()) - kOpen.size());
}

class Parser {
 public:
  Parser(const Json& document, const JsonReader& json) : json_(json), document_(document) {}

  Graph read() {
    check_version();
    const Json& module = json_.table(document_, "graph_module", "");
    const Json& graph = json_.table(module, "graph", "graph_module");
    const Json& signature = json_.table(module, "signature", "graph_module");
    for (const Json& spec : json_.list(signature, "input_specs", "signature")) read_input(spec);
    if (graph_.input == kNoValue) json_.fail("signature", "it takes no tensor; a network takes one, the images");
    const Json& nodes = json_.list(graph, "nodes", "graph");
    if (nodes.size() > kMaxNodes)
      json_.fail("graph", fmt::format("it has {} nodes, at most {} are read", nodes.size(), kMaxNodes));
    note_results(nodes);
    for (const Json& node : nodes) read_node(node);
    read_outputs(json_.list(signature, "output_specs", "signature"));
    read_shapes(json_.table(graph, "tensor_values", "graph"));
    return std::move(graph_);
  }

 private:
  void check_version() {
    const Json& version = json_.member(document_, "schema_version", "");
    const std::int64_t major = json_.integer(json_.member(version, "major", "schema_version"), "schema_version.major");
    const std::int64_t minor = json_.integer(json_.member(version, "minor", "schema_version"), "schema_version.minor");
    if (document_.contains("torch_version")) graph_.torch_version = json_.text(document_, "torch_version", "");
    if (major == kMajor) return;
    json_.fail("",
               fmt::format("its schema is {}.{} (PyTorch {}), {}.x is read (up to {}.{}, PyTorch 2.11, was tried); "
                           "load it in Python with its own PyTorch, export the module with PyTorch 2.11 and save again",
                           major, minor, printable(graph_.torch_version), kMajor, kMajor, kMinorOurs));
  }

  ValueId define(const std::string& name, std::int32_t producer, const std::string& where) {
    if (name.empty()) json_.fail(where, "a value without a name");
    const auto id = static_cast<ValueId>(graph_.values.size());
    if (!by_name_.emplace(name, id).second) json_.fail(where, fmt::format("value '{}' is made twice", printable(name)));
    graph_.values.push_back({.name = name, .producer = producer});
    return id;
  }

  ValueId use(const std::string& name, const std::string& where) const {
    const auto found = by_name_.find(name);
    if (found != by_name_.end()) return found->second;
    json_.fail(where, later_.contains(name)
                          ? fmt::format("it reads '{}', which is made only later: a cycle, or nodes out of order",
                                        printable(name))
                          : fmt::format("it reads '{}', which nothing makes", printable(name)));
  }

  void read_input(const Json& spec) {
    const auto [kind, body] = json_.choice(spec, "input_specs");
    if (kind == "user_input") return read_user_input(body);
    if (kind == "constant_input") return;  // an argument that was fixed when it was exported
    Constant constant;
    const char* name = "";
    if (kind == "parameter") {
      constant.kind = Constant::Kind::parameter, name = "parameter_name";
    } else if (kind == "buffer") {
      constant.kind = Constant::Kind::buffer, name = "buffer_name";
    } else if (kind == "tensor_constant") {
      constant.kind = Constant::Kind::tensor, name = "tensor_constant_name";
    } else {
      json_.fail("input_specs", fmt::format("an input of kind '{}' is not read: only tensors are", printable(kind)));
    }
    constant.name = json_.text(body, name, "input_specs");
    const std::string value = json_.text(json_.table(body, "arg", "input_specs"), "name", "input_specs");
    constant.value = define(value, -1, "input_specs");
    graph_.constants.push_back(std::move(constant));
  }

  void read_user_input(const Json& body) {
    const auto [kind, value] = json_.choice(json_.member(body, "arg", "input_specs"), "input_specs");
    if (kind == "as_none") return;  // an optional argument that was not given
    if (kind != "as_tensor")
      json_.fail("input_specs", fmt::format("it takes an argument of kind '{}'; a network takes one tensor, the images",
                                            printable(kind)));
    const std::string name = json_.text(value, "name", "input_specs");
    if (graph_.input != kNoValue) {
      json_.fail("input_specs",
                 fmt::format("it takes several tensors ('{}', '{}'); a network takes one, the images",
                             printable(graph_.values[static_cast<std::size_t>(graph_.input)].name), printable(name)));
    }
    graph_.input = define(name, -1, "input_specs");
  }

  /// Names of everything that a node makes, to tell a cycle from a name that is not there.
  void note_results(const Json& nodes) {
    for (const Json& node : nodes) {
      for (const Json& output : json_.list(node, "outputs", "graph.nodes")) {
        for_names(output, "graph.nodes", [this](const std::string& name) { later_.insert(name); });
      }
    }
  }

  template <class Visit>
  void for_names(const Json& output, const std::string& where, Visit visit) {
    const auto [kind, body] = json_.choice(output, where);
    if (kind == "as_tensor") {
      visit(json_.text(body, "name", where));
    } else if (kind == "as_tensors") {
      for (const Json& one : body) visit(json_.text(one, "name", where));
    } else if (kind == "as_sym_int" || kind == "as_sym_bool" || kind == "as_sym_float") {
      visit(json_.text(body, "as_name", where));
    } else if (kind != "as_none") {
      json_.fail(where, fmt::format("it makes a value of kind '{}', which is not read", printable(kind)));
    }
  }

  void read_node(const Json& json) {
    Node node;
    node.target = json_.text(json, "target", "graph.nodes");
    const auto index = static_cast<std::int32_t>(graph_.nodes.size());
    std::string where = fmt::format("node {} ({})", index, printable(node.target));
    if (json.contains("name") && json["name"].is_string())
      where = fmt::format("node '{}' ({})", printable(json["name"].get<std::string>()), printable(node.target));
    for (const Json& input : json_.list(json, "inputs", where)) {
      Argument argument = read_argument(json_.member(input, "arg", where), where);
      argument.name = json_.text(input, "name", where);
      node.inputs.push_back(std::move(argument));
    }
    for (const Json& output : json_.list(json, "outputs", where)) {
      Result result{.values = {}, .list = output.is_object() && output.contains("as_tensors")};
      for_names(output, where, [&](const std::string& name) {
        result.values.push_back(define(name, index, where));
        if (node.name.empty()) node.name = name;
      });
      if (result.values.empty() && !result.list) result.values.push_back(kNoValue);
      node.results.push_back(std::move(result));
    }
    graph_.nodes.push_back(std::move(node));
  }

  Operand tensor(const Json& json, const std::string& where) const {
    return {.value = use(json_.text(json, "name", where), where)};
  }

  Operand optional_tensor(const Json& json, const std::string& where) const {
    const auto [kind, body] = json_.choice(json, where);
    if (kind == "as_none") return {};
    if (kind != "as_tensor") json_.fail(where, fmt::format("found '{}', expected a tensor or None", printable(kind)));
    return tensor(body, where);
  }

  /// A number, or a value of the graph by name.
  Operand symbolic(const Json& json, const std::string& where) const {
    const auto [kind, body] = json_.choice(json, where);
    if (kind == "as_name") return {.value = use(json_.text(json, "as_name", where), where)};
    if (kind == "as_int") return {.number = json_.integer(body, where)};
    if (kind == "as_bool") return {.number = json_.flag(body, where)};
    if (kind == "as_float") return {.real = json_.real(body, where)};
    json_.fail(where, fmt::format("found '{}', expected a number or a name", printable(kind)));
  }

  Argument read_argument(const Json& json, const std::string& where) const {
    const auto [kind, body] = json_.choice(json, where);
    const auto one = [&](Kind is, Operand operand) { return Argument{.kind = is, .operands = {operand}}; };
    const auto many = [&](Kind is, auto&& read) {
      Argument argument{.kind = is};
      if (!body.is_array()) json_.fail(where, fmt::format("'{}' is {}, expected a list", kind, body.type_name()));
      for (const Json& element : body) argument.operands.push_back(read(element));
      return argument;
    };
    const auto integer = [&](const Json& j) { return Operand{.number = json_.integer(j, where)}; };
    const auto real = [&](const Json& j) { return Operand{.real = json_.real(j, where)}; };
    const auto flag = [&](const Json& j) { return Operand{.number = json_.flag(j, where)}; };
    const auto name = [&](const Json& j) { return tensor(j, where); };
    const auto symbol = [&](const Json& j) { return symbolic(j, where); };
    if (kind == "as_none") return {};
    if (kind == "as_tensor") return one(Kind::tensor, name(body));
    if (kind == "as_tensors") return many(Kind::tensors, name);
    if (kind == "as_optional_tensors")
      return many(Kind::tensors, [&](const Json& j) { return optional_tensor(j, where); });
    if (kind == "as_optional_tensor") {
      const Operand operand = optional_tensor(body, where);
      return operand.value == kNoValue ? Argument{} : one(Kind::tensor, operand);
    }
    if (kind == "as_int") return one(Kind::integer, integer(body));
    if (kind == "as_ints") return many(Kind::integers, integer);
    if (kind == "as_sym_int") return one(Kind::integer, symbol(body));
    if (kind == "as_sym_ints") return many(Kind::integers, symbol);
    if (kind == "as_float") return one(Kind::real, real(body));
    if (kind == "as_floats") return many(Kind::reals, real);
    if (kind == "as_sym_float") return one(Kind::real, symbol(body));
    if (kind == "as_bool") return one(Kind::flag, flag(body));
    if (kind == "as_bools") return many(Kind::flags, flag);
    if (kind == "as_sym_bool") return one(Kind::flag, symbol(body));
    if (kind == "as_string") return {.kind = Kind::text, .text = json_.text(json, "as_string", where)};
    if (kind == "as_scalar_type") return one(Kind::dtype, integer(body));
    if (kind == "as_layout") return one(Kind::layout, integer(body));
    if (kind == "as_memory_format") return one(Kind::memory_format, integer(body));
    if (kind == "as_device") return {.kind = Kind::device, .text = json_.text(body, "type", where)};
    if (kind == "as_graph")
      json_.fail(where,
                 "it runs a subgraph (a condition, a loop, or 'with torch.no_grad()' or autocast inside forward), "
                 "which is not read; export a module without it");
    json_.fail(where, fmt::format("an argument of kind '{}' is not read", printable(kind)));
  }

  void read_outputs(const Json& specs) {
    std::vector<std::string> tensors;
    for (const Json& spec : specs) {
      const auto [kind, body] = json_.choice(spec, "output_specs");
      if (kind == "user_input_mutation") continue;  // of the images that were handed in, which are ours
      if (kind == "buffer_mutation" || kind == "parameter_mutation") {
        json_.fail("output_specs",
                   fmt::format("it changes its own {} with every call; call .eval() before torch.export.export",
                               kind == "buffer_mutation" ? "buffers" : "parameters"));
      }
      if (kind != "user_output")
        json_.fail("output_specs", fmt::format("an output of kind '{}' is not read", printable(kind)));
      const auto [form, value] = json_.choice(json_.member(body, "arg", "output_specs"), "output_specs");
      if (form == "as_none") continue;
      if (form != "as_tensor")
        json_.fail("output_specs",
                   fmt::format("it returns a value of kind '{}'; a network returns its logits", printable(form)));
      tensors.push_back(json_.text(value, "name", "output_specs"));
      graph_.output = use(tensors.back(), "output_specs");
    }
    if (tensors.size() == 1) return;
    json_.fail("output_specs",
               fmt::format("it returns {} tensors{}; export a module whose forward returns the logits alone",
                           tensors.size(), tensors.empty() ? "" : " (" + printable(join(tensors, ", ")) + ")"));
  }

  Dimension dimension(const Json& json, const std::string& where) const {
    const auto [kind, body] = json_.choice(json, where);
    if (kind == "as_int") {
      const std::int64_t size = json_.integer(body, where);
      if (size < 0) json_.fail(where, fmt::format("it has a size of {}", size));
      return {.size = size};
    }
    Dimension result{.symbol = symbol_of(json_.text(body, "expr_str", where))};
    const auto hint = body.find("hint");
    if (hint != body.end() && hint->is_object() && hint->contains("as_int"))
      result.example = json_.integer((*hint)["as_int"], where);
    const Json& ranges = json_.table(document_, "range_constraints", "");
    const auto range = ranges.find(result.symbol);
    if (range == ranges.end()) return result;
    const Json& least = json_.member(*range, "min_val", where);
    const Json& most = json_.member(*range, "max_val", where);
    if (!least.is_null()) result.least = json_.integer(least, where);
    if (!most.is_null()) result.most = json_.integer(most, where);
    return result;
  }

  void read_shapes(const Json& tensors) {
    for (Value& value : graph_.values) {
      const auto found = tensors.find(value.name);
      if (found == tensors.end()) continue;
      const std::string where = fmt::format("tensor '{}'", printable(value.name));
      const Json& sizes = json_.list(*found, "sizes", where);
      if (sizes.size() > kMaxDimensions) json_.fail(where, fmt::format("it has {} dimensions", sizes.size()));
      for (const Json& size : sizes) value.shape.push_back(dimension(size, where));
      value.dtype = static_cast<int>(json_.integer(json_.member(*found, "dtype", where), where) & 0xff);
      value.has_shape = true;
    }
  }

  const JsonReader& json_;
  const Json& document_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> by_name_;
  std::unordered_set<std::string> later_;
};

}  // namespace

std::string_view kind_name(Argument::Kind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

ValueId Graph::find(std::string_view name) const {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].name == name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

Graph parse_graph(std::string_view text, const std::string& source) {
  const JsonReader json(source);
  return Parser(json.parse(text), json).read();
}

std::string_view dtype_name(int dtype) {
  static constexpr std::array<std::string_view, 14> kNames = {
      "an unknown type", "Byte",   "Char",        "Short",        "Int",           "Long", "Half",
      "Float",           "Double", "ComplexHalf", "ComplexFloat", "ComplexDouble", "Bool", "BFloat16"};
  return dtype > 0 && dtype < static_cast<int>(kNames.size()) ? kNames[static_cast<std::size_t>(dtype)] : kNames[0];
}

std::string shape_text(const Value& value) {
  if (!value.has_shape) return "a value";
  std::vector<std::string> sizes;
  for (std::size_t i = 0; i < value.shape.size(); ++i) {
    const std::int64_t size = value.shape[i].size;
    sizes.push_back(size > 0 ? std::to_string(size) : i == 0 ? "N" : "any");
  }
  return fmt::format("{} [{}]", dtype_name(value.dtype), join(sizes, ","));
}

}  // namespace nearfar::exported
