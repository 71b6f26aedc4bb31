#include "store/merge.h"

#include "base/error.h"
#include "cli/verbs.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {
using nlohmann::json;

json summary_json(const MergeArguments& arguments, const MergeSummary& summary) {
  json shards = json::array(), disagreements = json::array();
  for (const MergedShard& shard : summary.shards) {
    shards.push_back({{"file", shard.file.string()},
                      {"cells", shard.cells},
                      {"new_cells", shard.new_cells},
                      {"runs", shard.runs},
                      {"new_runs", shard.new_runs},
                      {"unfinished", shard.unfinished},
                      {"files_missing_at", shard.missing_at.string()}});
  }
  for (const Disagreement& one : summary.disagreements) {
    disagreements.push_back({{"key", one.key},
                             {"label", one.label},
                             {"what", one.what},
                             {"smallest", one.smallest},
                             {"largest", one.largest},
                             {"runs", one.runs},
                             {"kept", one.kept_uid}});
  }
  return {{"database", arguments.output.string()},
          {"shards", shards},
          {"disagreements", disagreements},
          {"tolerance", arguments.tolerance_percent / 100},
          {"cells", summary.cells},
          {"results", summary.results},
          {"runs", summary.runs},
          {"flagged", summary.flagged}};
}

void print_summary(const MergeArguments& arguments, const MergeSummary& summary) {
  for (const MergedShard& shard : summary.shards) {
    fmt::print("{}: {} cells, {} of them new; {} runs, {} of them new{}\n", shard.file.string(), shard.cells,
               shard.new_cells, shard.runs, shard.new_runs,
               shard.unfinished > 0 ? fmt::format("; {} have not ended and are left out", shard.unfinished) : "");
    if (!shard.missing_at.empty()) {
      fmt::print(
          "  its checkpoints and scores are not in {}: reports do without, `export` and further runs look for them "
          "there\n",
          shard.missing_at.string());
    }
  }
  for (const Disagreement& one : summary.disagreements) {
    fmt::print("disagree: {} ({}): {} is {:.4f} … {:.4f} % over {} runs, tolerance {} points; run {} is kept\n",
               one.label, one.key.substr(0, 12), one.what, 100 * one.smallest, 100 * one.largest, one.runs,
               arguments.tolerance_percent, one.kept_uid);
  }
  fmt::print("{}: {} cells, {} results, {} runs{}\n", arguments.output.string(), summary.cells, summary.results,
             summary.runs,
             summary.flagged > 0 ? fmt::format("; {} results disagree with other runs", summary.flagged) : "");
}

}  // namespace

int merge_verb(const MergeArguments& arguments) {
  const MergeSummary summary =
      merge_databases(arguments.output, arguments.shards,
                      {.allow_mixed = arguments.allow_mixed, .tolerance = arguments.tolerance_percent / 100});
  if (arguments.json) {
    fmt::print("{}\n", summary_json(arguments, summary).dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print_summary(arguments, summary);
  }
  return 0;
}

}  // namespace nearfar
