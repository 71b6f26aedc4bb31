#pragma once
/// One named check of what a plugin promises: a function that uses the plugin and says what it found. run.h runs them,
/// each in a process of its own; docs/plugin-check.md lists them. A check may do what it likes to its process.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace nearfar {

class Subject;

enum class CheckStatus { pass, fail, crash, hang, skip, warn };
/// "pass", "fail", …
std::string_view status_name(CheckStatus status);

/// How a check ends that does not pass: thrown, never returned. Of the functions below each says what was expected and
/// what was seen; `skip` says why it says nothing of this plugin.
struct CheckEnd {
  CheckStatus status = CheckStatus::fail;
  std::string message = {};
};
[[noreturn]] void fail_check(const std::string& expected, const std::string& seen);
[[noreturn]] void warn_check(const std::string& expected, const std::string& seen);
[[noreturn]] void skip_check(const std::string& reason);
/// fail_check() unless `kept`.
void expect(bool kept, const std::string& expected, const std::string& seen);

/// What a check is about, as bits.
enum Concerns : std::uint32_t {
  kOfFeatures = 1u << 0,  ///< postprocessors that work on features and logits
  kOfNetworks = 1u << 1,  ///< postprocessors that look inside the network
  kOfLosses = 1u << 2,
  kOfScores = kOfFeatures | kOfNetworks,
  kOfAll = kOfScores | kOfLosses,
};

struct Check {
  const char* name;     ///< kebab-case
  const char* promise;  ///< what holds for a plugin that passes, in one line
  std::uint32_t concerns = kOfAll;
  const char* after = "";  ///< checks of earlier rows, "fit loss": where one does not pass, this one is not run
  void (*run)(const Subject& subject) = nullptr;
  bool on_devices = true;     ///< also on an accelerator; else on the CPU alone
  bool only_devices = false;  ///< on an accelerator alone
  bool exits = false;         ///< when it has passed, its process ends by exit(), which must go well, too
};

/// Every check, in the order they are run and listed. Constant.
std::span<const Check> all_checks();

// The groups, each in a file of its own.
std::span<const Check> file_checks();         ///< file_checks.cpp: the library, its descriptor, its parameters
std::span<const Check> process_checks();      ///< process_checks.cpp: what it leaves of the process it is in
std::span<const Check> score_checks();        ///< score_checks.cpp: score() row by row
std::span<const Check> score_value_checks();  ///< score_value_checks.cpp: unusual rows
std::span<const Check> fit_checks();          ///< fit_checks.cpp: fit(), and objects beside each other
std::span<const Check> observe_checks();      ///< observe_checks.cpp
std::span<const Check> loss_checks();         ///< loss_checks.cpp: the value and its gradient
std::span<const Check> loss_batch_checks();   ///< loss_batch_checks.cpp: unusual batches
std::span<const Check> loss_state_checks();   ///< loss_state_checks.cpp: what a loss keeps

}  // namespace nearfar
