#include "base/error.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "store/upkeep.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {
using nlohmann::json;

json leftovers_json(const std::vector<Leftover>& leftovers) {
  json rows = json::array();
  for (const Leftover& one : leftovers)
    rows.push_back({{"path", one.path.string()}, {"bytes", one.bytes}, {"why", one.why}});
  return rows;
}

std::string leftovers_text(const std::vector<Leftover>& leftovers) {
  std::vector<std::vector<std::string>> rows{{"nothing refers to", "size", "because"}};
  for (const Leftover& one : leftovers)
    rows.push_back({one.path.string(), bytes_text(static_cast<std::int64_t>(one.bytes)), one.why});
  return rows.size() > 1 ? table(rows, {false, true, false}) : "";
}

void print_check(const std::filesystem::path& file, const DatabaseCheck& check, bool deep) {
  for (const std::string& problem : check.problems) fmt::print("wrong: {}\n", problem);
  for (const std::string& note : check.notes) fmt::print("note: {}\n", note);
  if (const std::string text = leftovers_text(check.leftovers); !text.empty())
    fmt::print("{}`nearfar db gc` removes these\n", text);
  fmt::print("{}: {} cells, {} results; {} files ({}) {}{}\n{}\n", file.string(), check.cell_count, check.result_count,
             check.file_count, bytes_text(static_cast<std::int64_t>(check.file_bytes)),
             deep ? "read and compared" : "there",
             check.elsewhere_count > 0 ? fmt::format(", {} on other hosts", check.elsewhere_count) : "",
             check.problems.empty() ? "all is well" : fmt::format("{} things are wrong", check.problems.size()));
}

}  // namespace

int db_check_verb(const DatabaseArguments& arguments, bool deep) {
  const std::filesystem::path file = database_of(arguments);
  const DatabaseCheck check = check_database(file, deep);
  if (arguments.json) {
    const json document{{"database", file.string()},  {"ok", check.problems.empty()},
                        {"problems", check.problems}, {"notes", check.notes},
                        {"cells", check.cell_count},  {"results", check.result_count},
                        {"files", check.file_count},  {"files_elsewhere", check.elsewhere_count},
                        {"bytes", check.file_bytes},  {"leftovers", leftovers_json(check.leftovers)}};
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print_check(file, check, deep);
  }
  return check.problems.empty() ? 0 : exit_code(ErrorKind::store);
}

int db_backup_verb(const DatabaseArguments& arguments, const std::filesystem::path& target) {
  const std::filesystem::path file = database_of(arguments);
  back_up_database(file, target);
  const std::uint64_t bytes = std::filesystem::file_size(target);
  if (arguments.json) {
    fmt::print("{}\n", json{{"database", file.string()}, {"backup", target.string()}, {"bytes", bytes}}.dump(2));
  } else {
    fmt::print("{}: {}, a copy of {}\n", target.string(), bytes_text(static_cast<std::int64_t>(bytes)), file.string());
  }
  return 0;
}

int db_gc_verb(const DatabaseArguments& arguments, bool dry_run) {
  const std::filesystem::path file = database_of(arguments);
  const Garbage garbage = collect_garbage(file, dry_run);
  if (arguments.json) {
    const json document{{"database", file.string()},
                        {"dry_run", dry_run},
                        {"bytes", garbage.bytes},
                        {"removed", leftovers_json(garbage.leftovers)},
                        {"notes", garbage.notes}};
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
    return 0;
  }
  for (const std::string& note : garbage.notes) fmt::print("note: {}\n", note);
  fmt::print("{}{} files and folders with {} ({} bytes) {}\n", leftovers_text(garbage.leftovers),
             garbage.leftovers.size(), bytes_text(static_cast<std::int64_t>(garbage.bytes)), garbage.bytes,
             dry_run ? "would be removed" : "were removed");
  return 0;
}

}  // namespace nearfar
