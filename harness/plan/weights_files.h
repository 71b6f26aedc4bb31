#pragma once
/// Which files `model.checkpoint` means: a file, a pattern (runs/*/best.ckpt), or a folder, by itself or with a folder
/// for each seed. Reads directories, opens no file. Safe from any thread.
#include "config/experiment.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

struct WeightsFile {
  std::filesystem::path file = {};
  std::int64_t seed = 0;
  bool numbered = false;    ///< the seed is known: model.seed, or a folder s0, seed_1, …
  std::string choice = {};  ///< "" or, in a folder with several, what was left: "rather than last.ckpt"
  /// What people call it: of "runs/cifar10_base/s0/best.ckpt", {"runs", "cifar10_base"}: words that every file is
  /// called (best, model, weights) and folders of seeds are left out.
  std::vector<std::string> name = {};
};

/// At least one; those of a folder by seed, those of a pattern by name. Error(data): nothing is there, or a folder has
/// several files of which none is the obvious one (with the candidates).
std::vector<WeightsFile> weights_files(const ForeignModel& model);

/// The parts of a path that name it, as WeightsFile::name.
std::vector<std::string> telling_parts(const std::filesystem::path& path);

/// A name for each list of parts: its last one, and as many before it as it takes to tell different lists apart. Equal
/// lists get equal names.
std::vector<std::string> short_names(const std::vector<std::vector<std::string>>& parts);

/// Whether `text` matches a shell pattern of * ? and [a-z]; * and ? stand for no slash.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace nearfar
