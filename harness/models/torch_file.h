#pragma once
/// Reads the state dicts of a torch.save file (zip format, PyTorch 1.6 and later) without running anything: our own zip
/// and pickle readers (pickle.h). Files are untrusted.
#include "models/named_tensor.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// A dict of the file that holds tensors.
struct StateDict {
  enum class Rank {
    average,   ///< "state_dict_ema", "model_ema", "ema", …: what the tools that write them evaluate
    weights,   ///< "state_dict", "model", "net", …
    top,       ///< the file itself
    elsewhere  ///< under a name that says nothing
  };
  std::string place;  ///< "" = the file itself, else "state_dict" or "outer.inner"
  Rank rank = Rank::top;
  std::vector<NamedTensor> tensors;  ///< in the file's order, owned, contiguous, on the CPU
  std::vector<std::string> others;   ///< entries that are no tensors, 100 at most: "'epoch' is an integer"
};

/// Every dict, OrderedDict or defaultdict with a tensor or Parameter in it, down to three levels, the likeliest first;
/// at least one. What lies beside them (optimisers, arguments, numpy numbers) is not read. Error(data) naming file and
/// reason: no zip archive (legacy torch files: what to do), compressed or overlapping entries, CRC mismatch, what
/// read_pickle says, no tensors at all (an object of a class, by name), counts and sizes beyond the file, big-endian
/// files.
std::vector<StateDict> read_torch_file(const std::filesystem::path& file);
/// The same from memory (fuzzing); `name` stands for the file in messages.
std::vector<StateDict> parse_torch_file(std::span<const std::byte> bytes, const std::string& name);

}  // namespace nearfar
