#include "conformance/check.h"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace nearfar {

std::string_view status_name(CheckStatus status) {
  constexpr std::array<std::string_view, 6> kNames{"pass", "fail", "crash", "hang", "skip", "warn"};
  return kNames.at(static_cast<std::size_t>(status));
}

void fail_check(const std::string& expected, const std::string& seen) {
  throw CheckEnd{CheckStatus::fail, fmt::format("expected {}; seen: {}", expected, seen)};
}
void warn_check(const std::string& expected, const std::string& seen) {
  throw CheckEnd{CheckStatus::warn, fmt::format("expected {}; seen: {}", expected, seen)};
}
void skip_check(const std::string& reason) { throw CheckEnd{CheckStatus::skip, reason}; }

void expect(bool kept, const std::string& expected, const std::string& seen) {
  if (!kept) fail_check(expected, seen);
}

std::span<const Check> all_checks() {
  static const std::vector<Check> all = [] {
    std::vector<Check> rows;
    for (const auto& group : {file_checks(), observe_checks(), score_checks(), score_value_checks(), fit_checks(),
                              loss_checks(), loss_batch_checks(), loss_state_checks(), process_checks()})
      rows.insert(rows.end(), group.begin(), group.end());
    return rows;
  }();
  return all;
}

}  // namespace nearfar
