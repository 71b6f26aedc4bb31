#pragma once
/// What a plugin's author says of it: kind, needs, parameter table and texts. std only: the host reads the same from a
/// plugin's note (nearfar/note.h) without LibTorch.
#include <nearfar/params.h>

#include <cstddef>
#include <cstdint>

namespace nearfar {

/// Values are part of the ABI.
enum class PluginKind : std::uint32_t { postprocessor = 1, loss = 2 };

/// What a plugin must be given. The runner takes the union over all plugins of a model and makes one pass. Values are
/// part of the ABI.
enum Need : std::uint32_t {
  kLogits = 1u << 0,              ///< FeatureBatch::logits of every set
  kFeatures = 1u << 1,            ///< FeatureBatch::features: raw pooled backbone features
  kNormalizedFeatures = 1u << 2,  ///< FeatureBatch::normalized: the same, L2-normalised rows (eps 1e-12)
  kHeadWeights = 1u << 3,         ///< HeadWeights of the linear classifier
  kMapStatistics = 1u << 4,       ///< observe() is called, and NetworkBatch has maps
  kInputGradients = 1u << 5,      ///< observe() is called, and NetworkBatch has gradients
  kTrain = 1u << 6,               ///< FitContext::train
  kValidation = 1u << 7,          ///< FitContext::val
};
using Needs = std::uint32_t;

/// A plugin's parameter table, borrowed from static storage.
struct ParamTable {
  const Param* rows = nullptr;
  std::size_t size = 0;
  constexpr ParamTable() = default;
  template <std::size_t N>
  constexpr ParamTable(const Param (&table)[N])
      : rows(table), size(N) {}  // NOLINT: implicit by design, `.params = kParams`
};

/// What the author writes in the macro. Constants: the note is made of them by the compiler.
struct PluginText {
  const char* name = "";       ///< kebab-case key, "temp-scaling"
  const char* version = "";    ///< semantic version of the method's results
  const char* summary = "";    ///< one line
  const char* reference = "";  ///< paper: "arXiv:2010.03759"
  Needs needs = 0;
  ParamTable params = {};
  const char* sweep =
      "";  ///< values that `tune` searches by default: "k=50,100;alpha=0.1,1"; the first parameter varies fastest
  bool tuned = false;  ///< the method's reference searches `sweep` by default (OpenOOD: APS_mode)
  const char* observed_params =
      "";  ///< parameters that observe() depends on: "temperature,noise"; the others can be searched without a pass
  bool observes_fitted = false;  ///< observe_fitted() is not observe(): scored images are looked at after fit()
};

}  // namespace nearfar
