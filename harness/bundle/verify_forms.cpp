/// What people and programs read of a verification.
#include "base/text.h"
#include "bundle/verify.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace nearfar {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<const char*, const char*>, 9> kKinds = {{{"manifest", "the bundle's manifest"},
                                                                        {"file", "files against SHA256SUMS"},
                                                                        {"database", "the database is whole"},
                                                                        {"config", "configs against their hashes"},
                                                                        {"identity", "cells against their identities"},
                                                                        {"scores", "score files against the database"},
                                                                        {"count", "scores against numbers of images"},
                                                                        {"metric", "metrics computed again"},
                                                                        {"accuracy", "accuracies computed again"}}};
constexpr const char* kNotProved =
    "not proved: that the scores come from the models and images named. Times, devices, curves, validation and "
    "calibration numbers were not checked.\n";
constexpr std::size_t kMostFailuresShown = 100;

const char* status_name(CheckStatus status) {
  return status == CheckStatus::pass ? "pass" : status == CheckStatus::fail ? "fail" : "not checkable";
}

Json optional(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

std::string failure_text(const Check& check) {
  std::string text = fmt::format("FAIL   {}", check.what);
  if (!check.cell.empty()) text += fmt::format("  {} ({})", check.label, check.cell.substr(0, 12));
  for (const std::string* part : {&check.protocol, &check.set, &check.metric}) {
    if (!part->empty()) text += " " + *part;
  }
  text += ": " + check.message;
  if (check.stored) text += fmt::format("; stored {}", number_text(*check.stored));
  if (check.recomputed) text += fmt::format("; recomputed {}", number_text(*check.recomputed));
  return text + "\n";
}

/// "pass   96 metrics computed again".
std::string groups_text(const Verification& verification) {
  std::string text;
  for (const auto& [what, title] : kKinds) {
    const auto number = [&, name = std::string_view(what)](CheckStatus status) {
      return std::ranges::count_if(verification.checks,
                                   [&](const Check& check) { return check.what == name && check.status == status; });
    };
    const auto good = number(CheckStatus::pass), bad = number(CheckStatus::fail),
               unknown = number(CheckStatus::not_checkable);
    if (good + bad + unknown == 0) continue;
    text += fmt::format("{}   {}: {} pass{}",
                        bad > 0    ? "FAIL"
                        : good > 0 ? "pass"
                                   : "--  ",
                        title, good, bad > 0 ? fmt::format(", {} fail", bad) : "");
    if (unknown > 0) {
      std::set<std::string> reasons;
      for (const Check& check : verification.checks) {
        if (check.what == what && check.status == CheckStatus::not_checkable) reasons.insert(check.message);
      }
      text += fmt::format(", {} not checkable: {}{}", unknown, *reasons.begin(), reasons.size() > 1 ? ", …" : "");
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string verification_text(const Verification& verification) {
  std::string text;
  if (const auto& manifest = verification.manifest) {
    text += fmt::format("{}{}{}: {} evaluations of {} models, nearfar {}\n",
                        manifest->title.empty() ? "untitled" : manifest->title,
                        manifest->author.empty() ? "" : ", by " + manifest->author,
                        manifest->url.empty() ? "" : " <" + manifest->url + ">", manifest->evaluations,
                        manifest->models, manifest->nearfar_version);
  }
  text += groups_text(verification);
  std::size_t shown = 0;
  const auto failures = static_cast<std::size_t>(verification.count(CheckStatus::fail));
  for (const Check& check : verification.checks) {
    if (check.status != CheckStatus::fail || shown == kMostFailuresShown) continue;
    text += failure_text(check);
    ++shown;
  }
  if (shown < failures) text += fmt::format("… and {} more: --json has all of them\n", failures - shown);
  text += kNotProved;
  return text + fmt::format("{}: {}\n", verification.source.string(),
                            verification.passed() ? "every number that can be computed again is what is stored"
                                                  : fmt::format("{} checks fail", failures));
}

std::string verification_json(const Verification& verification) {
  Json checks = Json::array();
  for (const Check& check : verification.checks) {
    checks.push_back({{"what", check.what},
                      {"status", status_name(check.status)},
                      {"cell", check.cell},
                      {"label", check.label},
                      {"protocol", check.protocol},
                      {"set", check.set},
                      {"metric", check.metric},
                      {"stored", optional(check.stored)},
                      {"recomputed", optional(check.recomputed)},
                      {"message", check.message}});
  }
  const Json document{
      {"schema", "nearfar/verification"},
      {"version", 1},
      {"source", verification.source.string()},
      {"manifest", verification.manifest ? Json::parse(bundle_manifest_json(*verification.manifest)) : Json(nullptr)},
      {"passed", verification.passed()},
      {"evaluations", verification.evaluations},
      {"pass", verification.count(CheckStatus::pass)},
      {"fail", verification.count(CheckStatus::fail)},
      {"not_checkable", verification.count(CheckStatus::not_checkable)},
      {"checks", std::move(checks)},
      {"not_proved", trim(kNotProved)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace nearfar
