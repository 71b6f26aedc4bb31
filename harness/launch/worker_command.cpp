#include "launch/worker_command.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace nearfar {
namespace {

/// Whole numbers without a sign; nullopt for anything else.
std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0 || text.front() == '-') return std::nullopt;
  return value;
}

/// [hours:]minutes:seconds
std::optional<std::int64_t> clock_seconds(std::string_view text) {
  const std::vector<std::string> parts = split(text, ':');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  std::int64_t seconds = 0;
  for (const std::string& part : parts) {
    const auto number = whole_number(part);
    if (!number || *number > 100'000) return std::nullopt;
    seconds = seconds * 60 + *number;
  }
  return seconds;
}

/// 1d2h3m4s, each unit at most once and in this order.
std::optional<std::int64_t> unit_seconds(std::string_view text) {
  constexpr std::array<std::pair<char, std::int64_t>, 4> kUnits{{{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};
  std::int64_t seconds = 0;
  std::size_t next_unit = 0;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = digits == 0 ? std::nullopt : whole_number(text.substr(0, digits));
    if (!number || *number > 1'000'000 || digits == text.size()) return std::nullopt;
    while (next_unit < kUnits.size() && kUnits[next_unit].first != text[digits]) ++next_unit;
    if (next_unit == kUnits.size()) return std::nullopt;
    seconds += *number * kUnits[next_unit++].second;
    text.remove_prefix(digits + 1);
  }
  return seconds;
}

}  // namespace

std::vector<std::string> worker_words(const WorkerCommand& command) {
  std::vector<std::string> words{command.program.string(), "worker",       "--db",
                                 command.database,         "--experiment", command.experiment};
  const auto add = [&](const char* option, std::string value) {
    words.emplace_back(option);
    words.push_back(std::move(value));
  };
  if (!command.profile.empty()) add("--profile", command.profile.string());
  if (!command.device.empty()) add("--device", command.device);
  words.emplace_back("--rank-from-env");
  words.insert(words.end(), command.extra.begin(), command.extra.end());
  if (command.jobs > 0) add("-j", std::to_string(command.jobs));
  return words;
}

std::string shell_word(std::string_view word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./:=,+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
  return "'" + replace_all(std::string(word), "'", R"('\'')") + "'";
}

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + shell_word(word);
  return line;
}

std::optional<std::int64_t> worker_number(const std::function<const char*(const char* name)>& environment) {
  // The innermost first: mpirun within a Slurm job starts several processes for one SLURM_PROCID, srun several for one
  // index of an array.
  constexpr std::array kNames{
      "OMPI_COMM_WORLD_RANK", "PMIX_RANK",           "PMI_RANK", "MV2_COMM_WORLD_RANK", "JOB_COMPLETION_INDEX",
      "SLURM_PROCID",         "SLURM_ARRAY_TASK_ID", "RANK"};
  const char* array = environment("SLURM_ARRAY_TASK_ID");
  for (const char* name : kNames) {
    const char* text = environment(name);
    if (text == nullptr || *text == '\0') continue;
    // The batch shell of an array's task is process 0 of its job, whatever its index is.
    if (std::string_view(name) == "SLURM_PROCID" && array != nullptr && std::string_view(text) == "0") continue;
    if (const auto number = whole_number(text)) return number;
    throw Error(ErrorKind::config,
                fmt::format("--rank-from-env: the environment has {}={}; expected a number from 0", name, text));
  }
  return std::nullopt;
}

double duration_seconds(std::string_view text) {
  const auto seconds = text.find(':') != std::string_view::npos ? clock_seconds(text) : unit_seconds(text);
  if (!seconds || *seconds == 0) {
    throw Error(ErrorKind::config,
                fmt::format("'{}' is no length of time; expected one like 90s, 30m, 2h, 1h30m, 1d or 2:00:00", text));
  }
  return static_cast<double>(*seconds);
}

}  // namespace nearfar
