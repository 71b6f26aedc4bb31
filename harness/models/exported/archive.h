#pragma once
/// What torch.export.save writes (.pt2): a zip with the graph as JSON and the tensors as raw bytes. Nothing in it is
/// run, and no pickle in it is opened. Pure functions; safe from any thread.
#include "models/exported/graph.h"

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar::exported {

struct Export {
  Graph graph = {};
  std::vector<at::Tensor> constants = {};  ///< as graph.constants; of the file's types and strides, on the CPU
};

/// Error(data) naming `name` and what is wrong: what ZipFile and parse_graph say; another kind of archive (TorchScript,
/// torch.save, an older container, compiled code), and what to do with it; tensors that are pickled, missing, of a type
/// that is not read, or that reach beyond their bytes.
Export parse_export(std::span<const std::byte> bytes, const std::string& name);
Export read_export(const std::filesystem::path& file);

/// The tensor type of the format's ScalarType. Error(data) naming `where` for one that networks here do not use
/// (complex numbers, 8-bit floats).
at::ScalarType scalar_type(std::int64_t dtype, const std::string& where);

}  // namespace nearfar::exported
