/// Options of the verbs that read or tidy databases.
#include "cli/options_parts.h"

#include <memory>

namespace nearfar {
namespace {

Action declare_status(CLI::App& verb) {
  const auto status = std::make_shared<StatusArguments>();
  verb.add_option("experiment", status->experiment, "only this experiment");
  verb.add_flag("--watch", status->watch,
                "until everything has ended: redrawn on a terminal, else a line for every change");
  add_expression(verb, status->expression);
  verb.add_flag("--all", status->all, "list every cell, however many there are");
  add_json(verb, status->database.json);
  add_database(verb, status->database);
  return [status] { return status_verb(*status); };
}

Action declare_show(CLI::App& verb) {
  const auto database = std::make_shared<DatabaseArguments>();
  const auto cell = std::make_shared<std::string>();
  add_cell(verb, *cell);
  add_json(verb, database->json);
  add_database(verb, *database);
  return [database, cell] { return show_verb(*database, *cell); };
}

Action declare_logs(CLI::App& verb) {
  struct Arguments {
    DatabaseArguments database;
    std::string cell;
    bool follow = false;
  };
  const auto logs = std::make_shared<Arguments>();
  add_cell(verb, logs->cell);
  verb.add_flag("-f,--follow", logs->follow, "go on printing until the attempt has ended");
  add_database(verb, logs->database);
  return [logs] { return logs_verb(logs->database, logs->cell, logs->follow); };
}

Action declare_compare(CLI::App& verb) {
  const auto compare = std::make_shared<CompareArguments>();
  constexpr const char* kRows =
      "rows, like ce or 'supcon knn' or train.lr=0.1,postprocessor=knn; or a database or bundle, or what plugin bench "
      "wrote";
  verb.add_option("a", compare->a, kRows)->required();
  verb.add_option("b", compare->b, "the same, compared with it")->required();
  verb.add_option("--experiment", compare->experiment, "only results of this experiment");
  verb.add_option("--benchmark", compare->benchmark, "only on this one");
  verb.add_option("--protocol", compare->protocol, "only this one")->check(CLI::IsMember({"ood", "fsood"}));
  verb.add_option("--alpha", compare->alpha, "1 minus the level of intervals; bound of significance")
      ->check(CLI::Range(1e-6, 0.5))
      ->capture_default_str();
  verb.add_option("--resamples", compare->resamples, "of the images, for metrics that have no formula")
      ->check(CLI::Range(50, 100'000))
      ->capture_default_str();
  verb.add_option("--threshold", compare->threshold, "of plugin bench: slower by less than this share is let pass")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  verb.add_flag("--force", compare->force, "of plugin bench: also what another machine or with other sizes measured");
  add_json(verb, compare->database.json);
  add_database(verb, compare->database);
  return [compare] { return compare_verb(*compare); };
}

Action declare_list(CLI::App& verb) {
  const auto list = std::make_shared<ListArguments>();
  verb.add_option("what", list->what)
      ->required()
      ->check(CLI::IsMember({"losses", "postprocessors", "benchmarks", "models", "datasets", "runs", "cells"}));
  add_json(verb, list->database.json);
  add_database(verb, list->database);
  add_plugin_dirs(verb, list->plugin_dirs);
  return [list] { return list_verb(*list); };
}

Action declare_export(CLI::App& verb) {
  struct Arguments {
    DatabaseArguments database;
    std::string cell;
    std::filesystem::path scores;
  };
  const auto wanted = std::make_shared<Arguments>();
  add_cell(verb, wanted->cell);
  verb.add_option("--scores", wanted->scores, "folder for SET.npy")->required();
  add_database(verb, wanted->database);
  return [wanted] { return export_verb(wanted->database, wanted->cell, wanted->scores); };
}

Action declare_db_check(CLI::App& verb) {
  const auto database = std::make_shared<DatabaseArguments>();
  const auto deep = std::make_shared<bool>(false);
  verb.add_flag("--deep", *deep, "read every file of a result and compare its SHA-256");
  add_json(verb, database->json);
  add_database(verb, *database);
  return [database, deep] { return db_check_verb(*database, *deep); };
}

Action declare_db_backup(CLI::App& verb) {
  const auto database = std::make_shared<DatabaseArguments>();
  const auto target = std::make_shared<std::filesystem::path>();
  verb.add_option("file", *target, "the copy; must not exist")->required();
  add_json(verb, database->json);
  add_database(verb, *database);
  return [database, target] { return db_backup_verb(*database, *target); };
}

Action declare_db_gc(CLI::App& verb) {
  const auto database = std::make_shared<DatabaseArguments>();
  const auto dry_run = std::make_shared<bool>(false);
  verb.add_flag("--dry-run", *dry_run, "only show what would go");
  add_json(verb, database->json);
  add_database(verb, *database);
  return [database, dry_run] { return db_gc_verb(*database, *dry_run); };
}

constexpr Verb kDbVerbs[] = {
    {"check", "is the database whole, is every file of its results there? exit 8 if not", declare_db_check},
    {"backup", "a copy of one state of it, also while others write", declare_db_backup},
    {"gc", "remove files of the output folders that nothing refers to", declare_db_gc},
};

Action declare_db(CLI::App& verb) { return declare_verbs(verb, kDbVerbs); }

Action declare_merge(CLI::App& verb) {
  const auto merge = std::make_shared<MergeArguments>();
  verb.add_option("shards", merge->shards, "databases to add: A.sqlite B.sqlite…")->required();
  verb.add_option("-o,--output", merge->output, "the database to add them to, made if need be")->required();
  verb.add_flag("--allow-mixed", merge->allow_mixed,
                "also benchmarks of one name with other images: boards of their own");
  verb.add_option("--tolerance", merge->tolerance_percent,
                  "percentage points by which two results of one cell may differ unflagged")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  add_json(verb, merge->json);
  return [merge] { return merge_verb(*merge); };
}

constexpr Verb kVerbs[] = {
    {"status", "state of every cell", declare_status},
    {"show", "everything about one cell, with the command that makes it again", declare_show},
    {"logs", "what the processes of a cell have printed", declare_logs},
    {"report", "leaderboards and other reports of a database", declare_report},
    {"serve", "the same live in a browser, while others write", declare_serve},
    {"compare", "two methods or databases: differences with intervals; exit 1 if the second is worse", declare_compare},
    {"list", "losses, postprocessors, benchmarks, models, datasets, runs or cells", declare_list},
    {"export", "score vectors of a finished cell as .npy, in list order", declare_export},
    {"db", "check, back up or tidy a results database", declare_db},
    {"bundle", "results with their evidence as one file that others can check", declare_bundle},
    {"verify", "compute every number of a bundle again from its scores; exit 6 if one is wrong", declare_verify},
    {"merge", "databases of several hosts as one; again and again, if you like", declare_merge},
};

}  // namespace

std::span<const Verb> result_verbs() { return kVerbs; }

}  // namespace nearfar
