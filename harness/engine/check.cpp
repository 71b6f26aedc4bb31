#include "engine/check.h"

#include "base/error.h"
#include "conformance/run.h"
#include "engine/messages.h"

#include <fmt/format.h>

#include <charconv>

namespace nearfar {
namespace {

const char* concerns_text(std::uint32_t concerns) {
  switch (concerns) {
    case kOfAll:
      return "all";
    case kOfScores:
      return "scores";
    case kOfFeatures:
      return "features";
    case kOfNetworks:
      return "network";
    default:
      return "losses";
  }
}

std::vector<wire::CheckPromise> promises() {
  std::vector<wire::CheckPromise> all;
  for (const Check& check : all_checks()) {
    all.push_back({.name = check.name,
                   .promise = check.promise,
                   .concerns = concerns_text(check.concerns),
                   .devices = check.only_devices ? "accelerator"
                              : check.on_devices ? "both"
                                                 : "cpu"});
  }
  return all;
}

double number_of(const std::string& text) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size())
    throw Error(ErrorKind::config, fmt::format("--tolerance={}: no number", text));
  return value;
}

}  // namespace

void check(const wire::CheckJob& job) {
  if (job.file.empty()) {
    send_result(wire::CheckFacts{.promises = promises()});
    return;
  }
  const CheckReport report = run_checks({.file = job.file,
                                         .assignments = job.assignments,
                                         .only = job.only,
                                         .device = job.device,
                                         .tolerance = job.tolerance,
                                         .seconds = job.seconds,
                                         .jobs = static_cast<int>(job.jobs),
                                         .in_process = job.in_process});
  wire::CheckFacts facts{
      .plugin = report.plugin, .version = report.version, .tier = report.tier, .passed = report.passed()};
  for (const CheckRow& row : report.rows) {
    facts.checks.push_back({.name = row.name,
                            .device = row.device,
                            .status = std::string(status_name(row.status)),
                            .message = row.message,
                            .seconds = row.seconds,
                            .reproduce = row.reproduce});
  }
  send_result(facts);
}

int check_one(std::span<char* const> words) {
  if (words.size() < 3) {
    throw Error(
        ErrorKind::config,
        fmt::format("check-one with {} words; expected FILE CHECK DEVICE [--tolerance=T] [NAME=VALUE]…", words.size()));
  }
  CheckRequest request{.file = words[0], .device = words[2]};
  const std::string tolerance = "--tolerance=";
  for (const std::string word : words.subspan(3)) {
    if (word.starts_with(tolerance)) {
      request.tolerance = number_of(word.substr(tolerance.size()));
    } else {
      request.assignments.push_back(word);
    }
  }
  const CheckRow row = run_one_check(request, words[1]);
  fmt::print("{} {} ({}){}{}\n", status_name(row.status), row.name, row.device, row.message.empty() ? "" : ": ",
             row.message);
  return row.status == CheckStatus::fail ? exit_code(ErrorKind::plugin) : 0;
}

}  // namespace nearfar
