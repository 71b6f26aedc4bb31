// How a DataCheck is shown to people and to programs.
#include "base/set_name.h"
#include "base/text.h"
#include "data/check.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {

std::string state_of(const SetCheck& set) {
  if (!set.error.empty()) return "cannot be read";
  if (set.missing + set.unreadable + set.stale > 0) return "bad files";
  if (set.expected > 0 && set.listed != set.expected) return "other count";
  return "ok";
}

std::string set_table(const DataCheck& check) {
  std::vector<std::vector<std::string>> rows = {
      {"set", "expected", "images", "missing", "unreadable", "damaged", "stale", "duplicates", "classes", "state"}};
  for (const SetCheck& set : check.sets) {
    const bool labelled = is_labelled_group(set.group);
    const std::string images =
        set.checked < set.listed ? fmt::format("{} of {}", set.checked, set.listed) : fmt::format("{}", set.listed);
    rows.push_back({set.name, set.expected > 0 ? fmt::format("{}", set.expected) : "-", images,
                    fmt::format("{}", set.missing), fmt::format("{}", set.unreadable), fmt::format("{}", set.damaged),
                    fmt::format("{}", set.stale), fmt::format("{}", set.duplicates),
                    labelled ? fmt::format("{}/{}", set.classes_present, check.classes) : "-", state_of(set)});
  }
  return table(rows, {false, true, true, true, true, true, true, true, true, false});
}

}  // namespace

std::string check_text(const DataCheck& check) {
  std::string text = fmt::format("{}{}\n{}", check.benchmark, check.data_root.empty() ? "" : " in " + check.data_root,
                                 set_table(check));
  std::string_view last_error;
  for (const SetCheck& set : check.sets) {
    // A missing data root is every set's error; once is enough.
    if (!set.error.empty()) text += fmt::format("{}: {}\n", set.name, set.error == last_error ? "the same" : set.error);
    last_error = set.error;
    for (const std::string& bad : set.first_bad) text += fmt::format("{}: {}\n", set.name, bad);
    const std::int64_t more =
        set.missing + set.unreadable + set.stale - static_cast<std::int64_t>(set.first_bad.size());
    if (more > 0) text += fmt::format("{}: and {} more\n", set.name, more);
  }
  for (const std::string& problem : check.problems) text += problem + "\n";
  if (!check.class_order.empty()) text += fmt::format("note: {}\n", check.class_order);
  for (const SetCheck& set : check.sets) {
    for (const std::string& damaged : set.first_damaged) text += fmt::format("warning: {}: {}\n", set.name, damaged);
    if (const auto more = set.damaged - static_cast<std::int64_t>(set.first_damaged.size()); more > 0)
      text += fmt::format("warning: {}: and {} more damaged files\n", set.name, more);
  }
  for (const Overlap& overlap : check.overlaps) {
    text += fmt::format("{}: {} images of {} are in {} too, e.g. {}\n", overlap.leak ? "warning" : "note",
                        overlap.images, overlap.second, overlap.first, overlap.example);
  }
  if (!check.ok) return text + "not as the benchmark says\n";
  std::int64_t damaged = 0;
  for (const SetCheck& set : check.sets) damaged += set.damaged;
  if (damaged == 0) return text + "everything is there and can be read\n";
  return text + fmt::format("everything is there and can be read, {} of it damaged, which every result will say\n",
                            damaged == 1 ? "one file" : fmt::format("{} files", damaged));
}

std::string check_json(const DataCheck& check) {
  nlohmann::json sets = nlohmann::json::array(), overlaps = nlohmann::json::array();
  for (const SetCheck& set : check.sets) {
    sets.push_back({{"name", set.name},
                    {"group", set.group},
                    {"expected", set.expected},
                    {"listed", set.listed},
                    {"checked", set.checked},
                    {"missing", set.missing},
                    {"unreadable", set.unreadable},
                    {"damaged", set.damaged},
                    {"first_damaged", set.first_damaged},
                    {"stale", set.stale},
                    {"duplicates", set.duplicates},
                    {"classes_present", set.classes_present},
                    {"first_bad", set.first_bad},
                    {"error", set.error}});
  }
  for (const Overlap& overlap : check.overlaps) {
    overlaps.push_back({{"first", overlap.first},
                        {"second", overlap.second},
                        {"images", overlap.images},
                        {"example", overlap.example},
                        {"leak", overlap.leak}});
  }
  const nlohmann::json document = {{"benchmark", check.benchmark},
                                   {"data_root", check.data_root},
                                   {"classes", check.classes},
                                   {"ok", check.ok},
                                   {"problems", check.problems},
                                   {"class_order", check.class_order},
                                   {"first_problem", check.first_problem},
                                   {"sets", sets},
                                   {"overlaps", overlaps}};
  // Names of files need not be UTF-8.
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace nearfar
