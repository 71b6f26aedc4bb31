#include "models/exported/functional.h"

#include "base/error.h"
#include "models/exported/operator_table.h"
#include "models/exported/operators.h"
#include "models/mismatch.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace nearfar::exported {
namespace {

/// Values that may share memory.
struct Group {
  std::vector<ValueId> members;
  std::vector<std::int32_t> writers;
  bool constant = false, images = false;
};

class Rewriter {
 public:
  Rewriter(Graph& graph, const std::string& source)
      : graph_(graph),
        source_(source),
        now_(graph.values.size()),
        last_read_(graph.values.size(), -1),
        group_of_(graph.values.size()),
        groups_(graph.values.size()) {
    std::iota(now_.begin(), now_.end(), 0);
    std::iota(group_of_.begin(), group_of_.end(), std::size_t{0});
    for (std::size_t i = 0; i < groups_.size(); ++i) groups_[i].members = {static_cast<ValueId>(i)};
    for (const Constant& constant : graph.constants) groups_[at(constant.value)].constant = true;
    groups_[at(graph.input)].images = true;
    effects_.after.resize(graph.nodes.size());
    effects_.written.resize(graph.values.size(), false);
  }

  Effects rewrite() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      for_reads(graph_.nodes[i], [&](Operand& read) { last_read_[at(read.value)] = static_cast<std::int32_t>(i); });
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      Node& node = graph_.nodes[i];
      for_reads(node, [&](Operand& read) { read.value = now(read.value); });
      for_reads(node, [&](Operand& read) { wait(static_cast<std::int32_t>(i), read.value); });
      const auto handle = find_operator(node.target);
      if (handle && handle->schema().is_mutable()) {
        write(static_cast<std::int32_t>(i), node);
      } else if (handle && may_alias(*handle)) {
        for_reads(node, [&](Operand& read) { join_results(node, read.value); });
      }
    }
    graph_.output = now(graph_.output);
    for (const Group& group : groups_) {
      if (group.writers.empty()) continue;
      for (const ValueId member : group.members) effects_.written[at(member)] = true;
    }
    return std::move(effects_);
  }

 private:
  static std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

  template <class Visit>
  static void for_reads(Node& node, Visit visit) {
    for (Argument& argument : node.inputs) {
      for (Operand& operand : argument.operands) {
        if (operand.value != kNoValue) visit(operand);
      }
    }
  }

  /// What a name means by now: the result of the last operator that overwrote it.
  ValueId now(ValueId id) {
    ValueId current = id;
    while (now_[at(current)] != current) current = now_[at(current)];
    for (ValueId step = id; step != current;) step = std::exchange(now_[at(step)], current);
    return current;
  }

  Group& group(ValueId id) { return groups_[group_of_[at(id)]]; }

  void join(ValueId a, ValueId b) {
    std::size_t into = group_of_[at(a)], from = group_of_[at(b)];
    if (into == from) return;
    if (groups_[into].members.size() < groups_[from].members.size()) std::swap(into, from);
    Group &kept = groups_[into], &gone = groups_[from];
    for (const ValueId member : gone.members) group_of_[at(member)] = into;
    kept.members.insert(kept.members.end(), gone.members.begin(), gone.members.end());
    kept.writers.insert(kept.writers.end(), gone.writers.begin(), gone.writers.end());
    kept.constant = kept.constant || gone.constant;
    kept.images = kept.images || gone.images;
    gone = {};
  }

  void join_results(const Node& node, ValueId with) {
    for (const Result& result : node.results) {
      for (const ValueId value : result.values) {
        if (value != kNoValue) join(with, value);
      }
    }
  }

  void wait(std::int32_t index, ValueId read) {
    auto& after = effects_.after[static_cast<std::size_t>(index)];
    const auto& writers = group(read).writers;
    after.insert(after.end(), writers.begin(), writers.end());
  }

  void write(std::int32_t index, Node& node) {
    const std::string_view name = aten_name(node.target);
    const std::string where = place_of(node, source_);
    const bool in_place = name.ends_with('_') && !name.starts_with("__") && !node.inputs.empty() &&
                          node.inputs[0].kind == Argument::Kind::tensor && node.results.size() <= 1;
    if (!in_place || !is_allowed(node.target)) {
      throw Error(ErrorKind::data, fmt::format("{}: writes into its arguments in a way that is not read; try "
                                               "torch.export.export(…).run_decompositions()",
                                               where));
    }
    const ValueId target = node.inputs[0].operands[0].value;
    const std::string functional =
        fmt::format("torch.ops.aten.{}{}", functional_name(name),
                    node.target.substr(std::string_view("torch.ops.aten.").size() + name.size()));
    const auto& members = group(target).members;
    const bool seen_later = std::any_of(members.begin(), members.end(), [&](ValueId member) {
      return member != target && last_read_[at(member)] > index;
    });
    const ValueId made = node.results.empty() ? kNoValue : node.results[0].values.front();
    const auto returning = find_operator(functional);
    if (!seen_later && made != kNoValue && returning) {
      node.target = functional;
      node.inputs[0].name = returning->schema().arguments()[0].name();  // dropout_(self), but dropout(input)
      now_[at(target)] = made;
      last_read_[at(made)] = std::max(last_read_[at(made)], last_read_[at(target)]);
      last_read_[at(target)] = index;
      if (silent_alias(name)) join(target, made);
      return;
    }
    const Group& memory = group(target);
    if (memory.constant || memory.images)
      throw Error(ErrorKind::data,
                  fmt::format("{}: writes into the {}; try torch.export.export(…).run_decompositions()", where,
                              memory.constant ? "weights" : "images"));
    if (made != kNoValue) join(target, made);
    group(target).writers = {index};  // which waits for the earlier ones
  }

  Graph& graph_;
  const std::string& source_;
  std::vector<ValueId> now_;             ///< value → the one that overwrote it, itself if none
  std::vector<std::int32_t> last_read_;  ///< value → the last node that reads it
  std::vector<std::size_t> group_of_;
  std::vector<Group> groups_;
  Effects effects_;
};

}  // namespace

std::string place_of(const Node& node, const std::string& source) {
  return fmt::format("{}: node '{}' ({})", source, printable(node.name), printable(node.target));
}

Effects make_functional(Graph& graph, const std::string& source) { return Rewriter(graph, source).rewrite(); }

}  // namespace nearfar::exported
