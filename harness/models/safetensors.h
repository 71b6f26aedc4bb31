#pragma once
/// The safetensors format: 8 bytes little-endian header length, a JSON header, then raw little-endian tensor data.
/// Format: https://huggingface.co/docs/safetensors. Files are untrusted: nothing in one can make us read outside it.
#include "models/named_tensor.h"

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

using Metadata = std::map<std::string, std::string>;

struct TensorFile {
  std::vector<NamedTensor> tensors;  ///< in the order of the data
  Metadata metadata;                 ///< "__metadata__"
};

/// Writes atomically (write_file_atomic's promise). The same tensors and metadata give the same bytes. Wider element
/// types come first, so that every tensor is aligned. Tensors may have any device and layout. Error(internal): a
/// repeated name or an element type that the format (as we write it: float64/32/16, bfloat16, int64/32/16/8, uint8,
/// bool) lacks.
void write_safetensors(const std::filesystem::path& file, const std::vector<NamedTensor>& tensors,
                       const Metadata& metadata);

/// Owned, contiguous CPU tensors. Error(data) naming file and tensor for: a header longer than the file or 32 MiB, JSON
/// that is broken, nested deeper than the format is, of more than two million values or with a name twice, unknown
/// element type or key, negative or overflowing sizes, a length other than shape x type, ranges that overlap, leave
/// gaps or end outside the file.
TensorFile read_safetensors(const std::filesystem::path& file);
/// The same from memory; `name` stands for the file in messages.
TensorFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name);

}  // namespace nearfar
