#include "cli/sources.h"

#include "base/error.h"
#include "base/log.h"
#include "bundle/archive.h"
#include "cli/scores.h"
#include "config/experiment.h"
#include "report/ranks.h"
#include "report/sources.h"
#include "store/evidence.h"
#include "store/merge.h"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <span>
#include <string_view>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

bool begins_as_database(const fs::path& file) {
  constexpr std::string_view kMagic = "SQLite format 3";
  std::array<char, kMagic.size()> head{};
  std::ifstream in(file, std::ios::binary);
  return in.read(head.data(), head.size()) && std::string_view(head.data(), head.size()) == kMagic;
}

/// What merge knows of it, in a database of ours.
void merge_into(const fs::path& target, const fs::path& database) {
  merge_databases(target, std::span(&database, 1), {.allow_mixed = true});
}

LeaderboardSource shown(const Source& source, const Verification& verification) {
  LeaderboardSource result{.name = source.word, .verified = verification.passed()};
  if (verification.manifest) {
    result.title = verification.manifest->title;
    result.author = verification.manifest->author;
    result.url = verification.manifest->url;
  }
  const std::int64_t failures = verification.count(CheckStatus::fail);
  if (failures > 0)
    result.reason = fmt::format("{} checks fail; `nearfar verify {}` tells which", failures, source.word);
  return result;
}

/// Each of the sources, the good ones merged, the rows of the others apart.
class ManySources {
 public:
  explicit ManySources(const ReportFilter& filter) : filter_(filter) {}

  void add(const std::string& word) {
    try {
      Source source = open_source(word);
      LeaderboardSource one = shown(source, verify_source(source));
      if (one.verified) {
        merge_into(merged(), source.database);
        for (const EvidenceRun& run : read_evidence(source.database).runs) {
          std::string& whose = whose_[run.cell.key];
          if (whose.find(one.label()) == std::string::npos) whose += (whose.empty() ? "" : "; ") + one.label();
        }
      } else {
        unverified_.push_back({sources_.size(), rows_of(source)});
      }
      sources_.push_back(std::move(one));
      opened_.push_back(std::move(source));  // score files stay where the merged database looks for them
    } catch (const Error& error) {
      sources_.push_back({.name = word, .verified = false, .reason = error.what()});
    }
    if (!sources_.back().verified) log_warn(fmt::format("{}: unverified: {}", word, sources_.back().reason));
  }

  Leaderboard make() {
    Leaderboard leaderboard;
    if (fs::exists(merged())) {
      const Session session = Session::open_read_only(merged());
      Results results = load_results(session.results(), filter_);
      results.sources = std::move(whose_);
      const RankRequest ranks{
          .scores = [&](int, const ResultSubject& subject) { return read_scores(session, subject.cell_key); }};
      leaderboard = make_leaderboard(results, &ranks);
    }
    for (const auto& [index, rows] : unverified_) add_unverified(leaderboard, rows, sources_.at(index).label());
    leaderboard.sources = std::move(sources_);
    return leaderboard;
  }

 private:
  fs::path merged() const { return work_.path() / "results.sqlite"; }

  /// None where not even merge can read it.
  Leaderboard rows_of(const Source& source) const {
    try {
      const TempDir own;
      merge_into(own.path() / "results.sqlite", source.database);
      return make_leaderboard(load_results(Session::open_read_only(own.path() / "results.sqlite").results(), filter_));
    } catch (const Error&) {
      return {};
    }
  }

  const ReportFilter& filter_;
  TempDir work_;
  std::vector<Source> opened_;
  std::vector<LeaderboardSource> sources_;
  std::vector<std::pair<std::size_t, Leaderboard>> unverified_;
  std::map<std::string, std::string> whose_;
};

}  // namespace

bool is_source(const std::string& word) {
  std::error_code none;
  return fs::is_directory(word, none) || (fs::is_regular_file(word, none) && !begins_as_database(word));
}

Source open_source(const std::string& word) {
  Source source{.word = word};
  const fs::path path(word);
  std::error_code none;
  if (fs::is_directory(path, none)) {
    if (fs::exists(path / kManifestFile, none)) source.folder = path;
    source.database = path / kResultsFile;
    if (fs::exists(source.database, none) || source.is_bundle()) return source;
    throw Error(ErrorKind::config, fmt::format("{}: has neither {} nor {}; expected a bundle, an output folder or a "
                                               "database",
                                               word, kManifestFile, kResultsFile));
  }
  if (!fs::is_regular_file(path, none))
    throw Error(ErrorKind::config,
                fmt::format("{}: is not there; expected a bundle (.tar.zst), a folder or a database", word));
  if (begins_as_database(path)) {
    source.database = path;
    return source;
  }
  source.unpacked = std::make_unique<TempDir>();
  source.folder = source.unpacked->path();
  source.database = source.folder / kResultsFile;
  unpack_archive(path, source.folder);
  return source;
}

Verification verify_source(const Source& source) {
  const Canonical canonical = [](const std::string& composed) {
    return load_composed_experiment(composed, "").canonical;
  };
  Verification result =
      source.is_bundle() ? verify_folder(source.folder, canonical) : verify_database(source.database, canonical);
  result.source = source.word;
  return result;
}

OpenedResults open_results(const std::string& word) {
  OpenedResults opened;
  if (!is_source(word)) {
    opened.session = std::make_unique<Session>(Session::open_read_only(word));
    return opened;
  }
  opened.source = open_source(word);
  if (const Verification found = verify_source(opened.source); !found.passed())
    throw Error(ErrorKind::data,
                fmt::format("{}: {} checks fail, so nothing is compared with it; `nearfar verify` tells "
                            "which",
                            word, found.count(CheckStatus::fail)));
  opened.copy = std::make_unique<TempDir>();
  merge_into(opened.copy->path() / kResultsFile, opened.source.database);
  opened.session = std::make_unique<Session>(Session::open_read_only(opened.copy->path() / kResultsFile));
  return opened;
}

Leaderboard leaderboard_of(const std::vector<std::string>& words, const ReportFilter& filter) {
  ManySources sources(filter);
  for (const std::string& word : words) sources.add(word);
  return sources.make();
}

}  // namespace nearfar
