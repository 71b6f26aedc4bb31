#pragma once
/// When two results are the same row of a leaderboard. Private to report/. Pure functions.
///
/// A row is its factors, never the name of its recipe: training, architecture, head and postprocessor with their
/// parameters, and every further factor that is not at its default, the seed excepted. A factor that is missing equals
/// its default. Databases of version 1 do not say what is a default: a value equals the default wherever any result
/// says so. Where results disagree about a default (it changed between versions), values are compared as stored.
#include "store/results.h"

#include <compare>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct FactorText {
  std::string name, value;
  auto operator<=>(const FactorText&) const = default;  // NOLINT(modernize-use-nullptr): of the compiler's own code
};

struct RowIdentity {
  std::string training, training_params, architecture, head, postprocessor, postprocessor_params;
  std::vector<FactorText> factors;  ///< not at their default and not told by the fields above; sorted by name
  auto operator<=>(const RowIdentity&) const = default;  // NOLINT(modernize-use-nullptr): of the compiler's own code

  /// nullptr: at its default, or told by a field.
  const std::string* factor(std::string_view name) const;
};

/// One for each subject, in their order.
std::vector<RowIdentity> row_identities(std::span<const ResultSubject> subjects);

/// "true", "6", "0.1", or the text itself: whole numbers are the same text whatever their type.
std::string factor_text(const ParamValue& value);

}  // namespace nearfar
