#pragma once
/// Networks are exported with operators that write in place (relu_, add_). A graph that is entered and left at several
/// nodes, and kept for gradients, is better without: such an operator becomes the one that returns its result, and what
/// reads the overwritten value later reads that. Where a view of the overwritten memory is still read, the write stays,
/// and what reads it waits for it. Internal to models/exported. Pure; safe from any thread.
#include "models/exported/graph.h"

#include <string>
#include <vector>

namespace nearfar::exported {

/// What a graph's nodes do to memory, beyond what they read and make.
struct Effects {
  std::vector<std::vector<std::int32_t>> after = {};  ///< node → nodes that write what it reads
  std::vector<bool> written = {};                     ///< value → something writes into its memory
};

/// Changes `graph`, whose values keep their numbers and names. Error(data) naming `source` and the node: one that
/// writes into the weights, into the images, or into something that is not its first parameter.
Effects make_functional(Graph& graph, const std::string& source);

/// "FILE: node 'conv2d_3' (torch.ops.aten.conv2d.default)", for messages.
std::string place_of(const Node& node, const std::string& source);

}  // namespace nearfar::exported
