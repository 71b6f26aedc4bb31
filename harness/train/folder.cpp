#include "train/folder.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"

#include <fmt/format.h>

#include <vector>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

void rename_file(const fs::path& from, const fs::path& to) {
  std::error_code failure;
  fs::rename(from, to, failure);
  if (failure) {
    throw Error(ErrorKind::data,
                fmt::format("{}: cannot be renamed to {}: {}", from.string(), to.string(), failure.message()));
  }
}

fs::path for_people(fs::path file) { return file.replace_extension(".json"); }

}  // namespace

/// last.safetensors, last.1.safetensors, …
fs::path TrainingFolder::kept(const fs::path& newest, std::int64_t back) const {
  if (back == 0) return newest;
  return newest.parent_path() / fmt::format("{}.{}{}", newest.stem().string(), back, newest.extension().string());
}

/// The newest becomes the one before, and stays where it is until it is replaced.
void TrainingFolder::keep_one_more(const fs::path& newest) const {
  if (keep_ < 2 || !fs::exists(newest)) return;
  for (std::int64_t back = keep_ - 2; back >= 1; --back) {
    if (fs::exists(kept(newest, back))) rename_file(kept(newest, back), kept(newest, back + 1));
  }
  const fs::path second = kept(newest, 1), made = second.string() + ".new";
  std::error_code failure;
  fs::remove(made, failure);
  fs::create_hard_link(newest, made, failure);
  if (failure) fs::copy_file(newest, made, fs::copy_options::overwrite_existing, failure);  // no links there
  if (failure) throw Error(ErrorKind::data, fmt::format("{}: cannot be written: {}", made.string(), failure.message()));
  rename_file(made, second);
}

std::string TrainingFolder::write_best(const Checkpoint& checkpoint) const {
  write_checkpoint(next_best_checkpoint(folder_), checkpoint);
  return sha256_file(next_best_checkpoint(folder_));
}

/// At any moment `last` names, by its hash, a best epoch that is there: as best.safetensors, or for the moment before
/// the rename (after a kill: until the next start) as the next one.
void TrainingFolder::write_last(const Checkpoint& checkpoint) const {
  keep_one_more(last_checkpoint(folder_));
  write_checkpoint(last_checkpoint(folder_), checkpoint);
  const fs::path next = next_best_checkpoint(folder_);
  if (fs::exists(next) && sha256_file(next) == checkpoint.best_sha256) promote_best(checkpoint.best_sha256);
}

void TrainingFolder::finish() const {
  for (std::int64_t back = 1; back < keep_; ++back) {
    for (const fs::path& newest : {last_checkpoint(folder_), best_checkpoint(folder_)}) {
      std::error_code of_no_weight;
      fs::remove(kept(newest, back), of_no_weight);
    }
  }
}

std::optional<fs::path> TrainingFolder::find_best(const std::string& sha256) const {
  std::vector<fs::path> files = {best_checkpoint(folder_), next_best_checkpoint(folder_)};
  for (std::int64_t back = 1; back < keep_; ++back) files.push_back(kept(best_checkpoint(folder_), back));
  for (const fs::path& file : files) {
    if (fs::exists(file) && sha256_file(file) == sha256) return file;
  }
  return std::nullopt;
}

/// The file with this hash becomes best.safetensors.
void TrainingFolder::promote_best(const std::string& sha256) const {
  const fs::path best = best_checkpoint(folder_);
  const std::optional<fs::path> found = find_best(sha256);
  if (!found || *found == best) return;
  if (*found == next_best_checkpoint(folder_)) keep_one_more(best);
  rename_file(*found, best);
  std::error_code of_no_weight;
  fs::rename(for_people(*found), for_people(best), of_no_weight);
}

std::string TrainingFolder::reason_against(const Checkpoint& saved, const fs::path& file, const std::string& identity,
                                           const NetworkSpec& spec) const {
  if (saved.format != Checkpoint{}.format) return file.string() + " is of an older version's format";
  if (saved.identity != identity || saved.spec != spec) return file.string() + " is of another training";
  if (saved.best_epoch < 0 || find_best(saved.best_sha256)) return "";
  return fmt::format("{} is not the file of epoch {} that {} knows (damaged, replaced or missing)",
                     best_checkpoint(folder_).string(), saved.best_epoch, file.filename().string());
}

bool TrainingFolder::resume(const std::string& identity, const NetworkSpec& spec,
                            const std::function<void(Checkpoint, const std::string& file)>& take) {
  const fs::path last = last_checkpoint(folder_);
  std::vector<std::string> passed_over;
  for (std::int64_t back = 0; back < keep_; ++back) {
    const fs::path file = kept(last, back);
    if (!fs::exists(file)) {
      if (back == 0 && fs::exists(best_checkpoint(folder_))) passed_over.push_back(file.string() + " is missing");
      continue;
    }
    try {
      Checkpoint saved = read_checkpoint(file);
      const std::string why = reason_against(saved, file, identity, spec);
      if (!why.empty()) {
        passed_over.push_back(why);
        continue;
      }
      const std::string best = saved.best_sha256;
      const std::int64_t step = saved.step;
      take(std::move(saved), file.string());
      if (back > 0) {
        log_warn(fmt::format("training goes on from step {} of {}: {}", step, file.string(), passed_over.front()));
        rename_file(file, last);
      }
      promote_best(best);
      return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::data) throw;
      passed_over.push_back(error.what());
    }
  }
  if (!passed_over.empty()) log_warn("training starts over: " + passed_over.front());
  return false;
}

}  // namespace nearfar
