#pragma once
/// Reads the state dict of a torch.save file (zip format, PyTorch 1.6 and later) without running anything: our own zip
/// and pickle readers know the opcodes and globals of state dicts and refuse everything else by name. Files are
/// untrusted.
#include "models/named_tensor.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// The tensors in the file's order, owned, contiguous, on the CPU. Accepts a dict or OrderedDict of tensors or
/// Parameters, also one nested under "state_dict", "model" or "net". Error(data) naming file and reason: no zip archive
/// (legacy torch files: what to do), compressed or overlapping entries, CRC mismatch, an opcode or global that a state
/// dict does not need (by name), counts and sizes beyond the file, too deep or too large pickles, big-endian files.
std::vector<NamedTensor> read_torch_file(const std::filesystem::path& file);
/// The same from memory (fuzzing); `name` stands for the file in messages.
std::vector<NamedTensor> parse_torch_file(std::span<const std::byte> bytes, const std::string& name);

}  // namespace nearfar
