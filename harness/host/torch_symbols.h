#pragma once
/// Which LibTorch has which C function that a plugin of the stable tier may call: torch_* and aoti_torch_* of
/// libtorch_cpu.so and libc10.so, by a table that tools/make_torch_symbols.py makes of the released wheels. Torch-free;
/// pure functions, safe from any thread.
#include <optional>
#include <string>
#include <string_view>

namespace nearfar {

/// A version of LibTorch by major and minor: the C functions are the same in all patches of one.
struct TorchVersion {
  int major = 2;
  int minor = 0;

  auto operator<=>(const TorchVersion&) const = default;
  std::string text() const;  ///< "2.11"
};

/// "2.11", "2.11.0", "2.11.0+cu130"; nullopt for anything else.
std::optional<TorchVersion> torch_version(std::string_view text);

/// Where a function is to be found. `first` is the table's oldest version for all that are as old or older; `gone` is
/// the first that has it no more.
struct TorchSymbol {
  TorchVersion first;
  std::optional<TorchVersion> gone;

  /// In a version that the table does not reach yet, what its newest has is taken to be there.
  bool in(TorchVersion version) const { return first <= version && (!gone || version < *gone); }
};

TorchVersion oldest_known_torch();
TorchVersion newest_known_torch();

/// Has `name` the form of such a function?
bool is_torch_c_name(std::string_view name);
/// Is it one of an accelerator (aoti_torch_cuda_…)? Those are in libraries that the table is not made of.
bool is_torch_device_name(std::string_view name);

/// nullopt: no version of the table has it.
std::optional<TorchSymbol> torch_symbol(std::string_view name);

}  // namespace nearfar
