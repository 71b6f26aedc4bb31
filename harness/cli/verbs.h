#pragma once
/// One function per verb, one file per function (or pair). Each gets typed options, prints data on stdout and returns
/// the exit code; it throws Error for the rest. options.cpp fills the structs from the command line.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

using Paths = std::vector<std::filesystem::path>;

/// How a run goes on; none of it changes a result.
struct RunLimits {
  std::optional<std::int64_t> jobs = {}, retries = {};  ///< of `retry`; `run` has them as overrides
  std::int64_t max_failures = 0;                        ///< 0 = go on whatever fails
};

struct RunArguments {
  Paths files;
  std::vector<std::string> overrides;
  Paths plugin_dirs;
  std::filesystem::path out, database;
  std::string expression;    ///< -k: only these cells (store/selection.h), and what they need
  bool last_failed = false;  ///< only cells that have failed
  RunLimits limits;
  bool dry_run = false, json = false, quiet = false;
  bool trust = false;          ///< TorchScript, which is code, may run
  bool cells = false;          ///< `plan` lists every cell
  std::int64_t max_cells = 0;  ///< of a sweep; 0 = the default
  bool put = false;            ///< plan: the cells into the database, for workers
};
int run_verb(const RunArguments& arguments);
int plan_verb(const RunArguments& arguments);

struct ConfigArguments {
  std::string action;  ///< show, check or explain
  Paths files;
  std::vector<std::string> overrides;
  std::string key;  ///< of explain
  std::int64_t max_cells = 0;
  bool json = false;
};
int config_verb(const ConfigArguments& arguments);

/// Which database: `database`, else out/results.sqlite, else the only one beneath ./out.
struct DatabaseArguments {
  std::filesystem::path out, database;
  bool json = false;
};
/// Cells in these states, of the experiments that the database keeps.
struct RetryArguments {
  DatabaseArguments database;
  std::string experiment;  ///< "" = all
  std::vector<std::string> states;
  std::string expression;  ///< -k
  RunLimits limits;
  bool trust = false, quiet = false;
};
int retry_verb(const RetryArguments& arguments);

struct WorkerArguments {
  DatabaseArguments database;
  std::string experiment;         ///< "" = the only one
  std::string device;             ///< "" = the experiment's
  std::filesystem::path profile;  ///< paths of this machine; empty = those that are stored
  Paths plugin_dirs;              ///< searched before those of the profile
  std::int64_t jobs = 0;          ///< engines at a time; 0 = the experiment's
  std::int64_t most_cells = 0;    ///< that are begun; 0 = all
  double seconds = 0;             ///< then it hands back and ends; 0 = no limit
  bool wait = true;               ///< while others run cells of the experiment
  bool rank_from_env = false;     ///< a start a little later for each number
  bool print_profile = false;     ///< only show the stored paths
  bool fail_fast = false, quiet = false, trust = false;
};
/// Does cells of an experiment that the database holds. 0: every cell of it is valid, or as many as asked for are; 1:
/// some have failed, here or elsewhere; 2: stopped, by a signal or the time, after handing back.
int worker_verb(const WorkerArguments& arguments);

struct SubmitArguments {
  RunArguments run;
  std::string launcher;                ///< local, slurm, mpi, k8s
  std::int64_t workers = 2, jobs = 0;  ///< jobs: engines of each worker; 0 = 1, or a share of this machine's cores
  bool print = false;                  ///< only print the text; nothing is put and nothing written
  std::vector<std::string> options;    ///< for sbatch or mpirun
  std::filesystem::path profile, program;
  std::string worker_database;                     ///< as the workers' machines name the database; "" = as here
  std::string image, claim, mount, pod_namespace;  ///< of Kubernetes
};
/// 0: submitted, or nothing is to be done. Of `local` and `mpi`, which wait: as run_verb().
int submit_verb(const SubmitArguments& arguments);

struct StatusArguments {
  DatabaseArguments database;
  std::string experiment;  ///< "" = all
  std::string expression;  ///< -k
  bool watch = false;
  bool all = false;  ///< list every cell, however many there are
};
int status_verb(const StatusArguments& arguments);
int show_verb(const DatabaseArguments& arguments, const std::string& cell);
/// The log of a cell's last attempt; `follow`: until the attempt has ended.
int logs_verb(const DatabaseArguments& arguments, const std::string& cell, bool follow);
/// Error(config) naming the choices where there is not exactly one; Error(nothing) where there is none.
std::filesystem::path database_of(const DatabaseArguments& arguments);

/// Targets: "" = not asked for, "-" = stdout. With no target: the text table on stdout.
/// `a`, `b`: rows of the database (report/compare.h), two databases, or two documents of `plugin bench`.
struct CompareArguments {
  DatabaseArguments database;
  std::string a, b, experiment, benchmark, protocol;  ///< "" = all
  double alpha = 0.05;
  int resamples = 400;
  double threshold = 0.1;  ///< of `plugin bench`: shares of a time that are let pass
  bool force = false;      ///< likewise: other machines and sizes are compared, too
};
/// 0; 1: B is worse than A, and that is significant.
int compare_verb(const CompareArguments& arguments);

struct ReportArguments {
  DatabaseArguments database;
  std::string experiment;
  std::string html, markdown, latex, csv, json;
  bool selective = false;          ///< AURC and AUGRC in `json`: reads all scores
  std::filesystem::path svg = {};  ///< folder for figures; "" = none
  bool log_fpr = false;            ///< ROC curves over the logarithm of the false positive rate
};
int report_verb(const ReportArguments& arguments);
/// leaderboard.{html,csv,md} into the output folder, atomically; used by run.
/// Returns the terminal's table.
std::string write_leaderboards(const std::filesystem::path& database, const std::filesystem::path& out);

struct ListArguments {
  std::string what;
  DatabaseArguments database;
  Paths plugin_dirs;
};
int list_verb(const ListArguments& arguments);

int metrics_verb(const std::filesystem::path& id, const std::filesystem::path& ood, bool json);

struct ScoreArguments {
  std::string name, set = "test", device = "cpu";
  std::filesystem::path features, output;
  std::vector<std::string> assignments;
  Paths plugin_dirs;
  int threads = 0;
  bool json = false;
};
int score_verb(const ScoreArguments& arguments);

struct ImportArguments {
  std::filesystem::path file, output;
  std::string architecture;
  std::int64_t size = 0;  ///< of square input images; 0 = the architecture's
  bool json = false;
};
int import_verb(const ImportArguments& arguments);

struct ExportCheckArguments {
  std::filesystem::path file, inputs, logits;
  std::string feature_node;
  std::vector<std::string> map_nodes;
  bool nodes = false;  ///< list what can be named
  bool json = false;
};
/// 0: what was stored is computed, or nothing is stored; 1: something else.
int export_check_verb(const ExportCheckArguments& arguments);

/// Copies the score files of a finished eval cell to DIR/SET.npy.
int export_verb(const DatabaseArguments& database, const std::string& cell, const std::filesystem::path& scores);

struct DataArguments {
  std::string benchmark;               ///< a name or a path
  std::vector<std::string> overrides;  ///< data.KEY=value, the keys of [data] in an experiment
  std::vector<std::string> sets;       ///< check, pack: these only
  std::filesystem::path out;           ///< pack: the folder for packed copies; synth: the new data root
  std::int64_t train_side = 0;         ///< pack: training copies of that side instead; 0 = packed copies
  std::int64_t per_set = 50;           ///< synth
  std::uint64_t seed = 1;              ///< synth
  int threads = 0;                     ///< 0 = one a core
  bool json = false;
};
/// Prints the check and throws Error(data) naming the first bad file.
int data_check_verb(const DataArguments& arguments);
int data_pack_verb(const DataArguments& arguments);
int data_synth_verb(const DataArguments& arguments);

/// 8 where something is wrong.
int db_check_verb(const DatabaseArguments& database, bool deep);
int db_backup_verb(const DatabaseArguments& database, const std::filesystem::path& target);
int db_gc_verb(const DatabaseArguments& database, bool dry_run);

struct MergeArguments {
  Paths shards;
  std::filesystem::path output;
  bool allow_mixed = false, json = false;
  double tolerance_percent = 0.1;  ///< percentage points
};
int merge_verb(const MergeArguments& arguments);

int doctor_verb(const Paths& plugin_dirs, const DatabaseArguments& database);

}  // namespace nearfar
