#include "bundle/make.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "bundle/archive.h"
#include "store/evidence.h"
#include "store/extract.h"

#include <fmt/format.h>

#include <utility>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

void check_file(const ExtractedFile& file, const fs::path& database) {
  if (file.from.empty())
    throw Error(ErrorKind::data, fmt::format("{}: {} lies on another host; make the bundle there, or where the output "
                                             "folder is shared",
                                             database.string(), file.path));
  std::error_code error;
  if (fs::is_regular_file(file.from, error) && sha256_file(file.from) == file.sha256) return;
  throw Error(ErrorKind::data,
              fmt::format("{}: is not the file that the run wrote (missing or changed); run the experiment again",
                          file.from.string()));
}

/// Files of one bundle, with their hashes.
class Contents {
 public:
  explicit Contents(const fs::path& folder) : folder_(folder) {}

  void add(std::string name, const fs::path& from, std::string hash) {
    hashes_[name] = std::move(hash);
    files_.push_back({std::move(name), from});
  }
  bool has(const std::string& name) const { return hashes_.contains(name); }
  void write(const std::string& name, const std::string& content) {
    write_file_atomic(folder_ / name, content);
    add(name, folder_ / name, sha256(content));
  }
  std::vector<ArchiveFile> finish() {
    const fs::path sums = folder_ / kSumsFile;
    write_file_atomic(sums, sums_text(hashes_));
    files_.push_back({std::string(kSumsFile), sums});
    return std::move(files_);
  }

 private:
  const fs::path& folder_;
  std::vector<ArchiveFile> files_;
  std::map<std::string, std::string> hashes_;
};

}  // namespace

MadeBundle make_bundle(const BundleRequest& request) {
  for (const auto& [what, text] : {std::pair("the title", &request.title), std::pair("the author", &request.author),
                                   std::pair("the URL", &request.url)})
    check_manifest_text(*text, what);
  const TempDir work;
  const fs::path results = work.path() / kResultsFile;
  const Extraction extraction = extract_cells(request.database, request.evaluations, request.experiment, results);
  Contents contents(work.path());
  contents.add(std::string(kResultsFile), results, sha256_file(results));
  BundleManifest manifest{.title = request.title,
                          .author = request.author,
                          .url = request.url,
                          .nearfar_version = NEARFAR_VERSION,
                          .evaluations = extraction.evaluations,
                          .models = extraction.models,
                          .cells = extraction.cells,
                          .score_files = 0,
                          .checkpoints = request.checkpoints};
  for (const ExtractedFile& file : extraction.files) {
    if (file.checkpoint && !request.checkpoints) continue;
    check_file(file, request.database);
    contents.add(file.path, file.from, file.sha256);
    manifest.score_files += file.checkpoint ? 0 : 1;
  }
  const StoredEvidence evidence = read_evidence(results);
  for (const ExperimentRecord& one : evidence.experiments) {
    manifest.experiments.push_back(one.name + " " + one.hash);
    if (contents.has(config_file(one.hash))) continue;  // one config under two names
    contents.write(config_file(one.hash), one.composed);
    contents.write(canonical_file(one.hash), one.canonical);
  }
  for (const BenchmarkRecord& one : evidence.benchmarks) manifest.benchmarks.push_back(one.name + " " + one.data_hash);
  contents.write(std::string(kManifestFile), bundle_manifest_json(manifest));
  pack_archive(request.target, contents.finish());
  return {manifest, fs::file_size(request.target)};
}

}  // namespace nearfar
