#include "plan/weights_files.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kSuffixes{".ckpt", ".pth", ".pt", ".safetensors"};

/// The number of a folder named s0, seed1, seed_2, seed-3.
std::optional<std::int64_t> seed_number(std::string_view name) {
  for (const std::string_view prefix : {"seed_", "seed-", "seed", "s"}) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view digits = name.substr(prefix.size());
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (!digits.empty() && failure == std::errc() && end == digits.data() + digits.size() && number >= 0) return number;
  }
  return std::nullopt;
}

bool is_weights_name(const fs::path& file) {
  const std::string suffix = file.extension().string();
  return std::find(kSuffixes.begin(), kSuffixes.end(), suffix) != kSuffixes.end();
}

/// Weights files directly in a folder, by name.
std::vector<fs::path> weights_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::error_code ignored;
    const bool hidden = entry.path().filename().string().starts_with('.');
    if (!hidden && is_weights_name(entry.path()) && entry.is_regular_file(ignored)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> names_of(const std::vector<fs::path>& files) {
  std::vector<std::string> names;
  for (const fs::path& file : files) names.push_back(file.filename().string());
  return names;
}

struct Chosen {
  fs::path file;
  std::string choice;
};

/// The one that a folder means: best, then best_epoch…, then last, then the only one. nullopt: none is there.
std::optional<Chosen> choose(const fs::path& folder, const std::string& where) {
  const std::vector<fs::path> all = weights_in(folder);
  if (all.empty()) return std::nullopt;
  for (const std::string_view wanted : {"best", "best_epoch*", "last", "last_epoch*", "*"}) {
    std::vector<fs::path> fitting;
    for (const fs::path& file : all) {
      if (matches_glob(wanted, file.stem().string())) fitting.push_back(file);
    }
    if (fitting.empty()) continue;
    if (fitting.size() > 1) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: the folder '{}' has {} weights files that may be meant: {}; name one of them", where,
                              folder.string(), fitting.size(), join(names_of(fitting), ", ")));
    }
    std::vector<fs::path> left = all;
    std::erase(left, fitting.front());
    return Chosen{fitting.front(), left.empty() ? "" : "rather than " + join(names_of(left), ", ")};
  }
  return std::nullopt;
}

WeightsFile numbered_file(const ForeignModel& model, fs::path file) {
  WeightsFile found{.file = std::move(file)};
  found.name = telling_parts(found.file);
  std::optional<std::int64_t> seed = model.seed;
  if (!seed) seed = seed_number(found.file.parent_path().filename().string());
  found.numbered = seed.has_value();
  found.seed = seed.value_or(0);
  return found;
}

std::vector<WeightsFile> in_folder(const ForeignModel& model) {
  const fs::path& folder = model.checkpoint;
  std::vector<WeightsFile> files;
  std::map<std::int64_t, fs::path> seeds;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto seed = seed_number(entry.path().filename().string());
    if (!seed || !entry.is_directory()) continue;
    const auto [other, added] = seeds.emplace(*seed, entry.path());
    if (!added) {
      throw Error(ErrorKind::data, fmt::format("{}: '{}' and '{}' are both seed {}; name one of them", model.where,
                                               other->second.string(), entry.path().string(), *seed));
    }
  }
  for (const auto& [seed, place] : seeds) {
    if (model.seed && *model.seed != seed) continue;
    if (std::optional<Chosen> chosen = choose(place, model.where)) {
      WeightsFile file = numbered_file(model, std::move(chosen->file));
      file.choice = std::move(chosen->choice);
      files.push_back(std::move(file));
    }
  }
  if (!files.empty()) return files;
  if (std::optional<Chosen> chosen = choose(folder, model.where)) {
    files.push_back(numbered_file(model, std::move(chosen->file)));
    files.back().choice = std::move(chosen->choice);
    return files;
  }
  throw Error(ErrorKind::data,
              fmt::format("{}: the folder '{}' has no weights file ({}), by itself or in folders s0, s1, …{}",
                          model.where, folder.string(), "best, last or one alone, of .ckpt, .pth, .pt, .safetensors",
                          model.seed ? fmt::format(" (model.seed is {})", *model.seed) : ""));
}

/// Paths beneath `base` that match the rest of a pattern, part by part.
void expand(const fs::path& base, const std::vector<std::string>& parts, std::size_t at, std::set<fs::path>& found) {
  std::error_code error;
  if (at == parts.size()) {
    if (fs::exists(base, error)) found.insert(base);
    return;
  }
  if (parts[at].find_first_of("*?[") == std::string::npos) return expand(base / parts[at], parts, at + 1, found);
  for (const auto& entry : fs::directory_iterator(base.empty() ? fs::path(".") : base, error)) {
    const std::string name = entry.path().filename().string();
    if ((name.starts_with('.') && !parts[at].starts_with('.')) || !matches_glob(parts[at], name)) continue;
    expand(base / name, parts, at + 1, found);
  }
}

std::vector<WeightsFile> of_pattern(const ForeignModel& model) {
  std::vector<std::string> parts;
  for (const fs::path& part : model.checkpoint.relative_path()) parts.push_back(part.string());
  std::set<fs::path> found;
  expand(model.checkpoint.root_path(), parts, 0, found);
  std::vector<WeightsFile> files;
  for (const fs::path& path : found) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      ForeignModel one = model;
      one.checkpoint = path;
      for (WeightsFile& file : in_folder(one)) files.push_back(std::move(file));
    } else {
      files.push_back(numbered_file(model, path));
    }
  }
  if (files.empty()) {
    throw Error(ErrorKind::data, fmt::format("{}: nothing matches model.checkpoint '{}' (from {})", model.where,
                                             model.checkpoint.string(), fs::current_path().string()));
  }
  return files;
}

bool in_class(std::string_view set, char c) {
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-') {
      if (set[i] <= c && c <= set[i + 2]) return true;
      i += 2;
    } else if (set[i] == c) {
      return true;
    }
  }
  return false;
}

/// Names that tools give to every weights file.
bool says_nothing(const std::string& stem) {
  for (const char* pattern :
       {"best",       "best_*",        "best-*",      "last",       "last_*",       "last-*",  "latest", "final",
        "model",      "model_best*",   "model_final", "checkpoint", "ckpt",         "weights", "net",    "network",
        "state_dict", "pytorch_model", "epoch=*",     "epoch_*",    "checkpoint_*", "ckpt_*"}) {
    if (matches_glob(pattern, stem)) return true;
  }
  return false;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) {
  // The usual loop: after a mismatch go back to the last star and let it take one character more.
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    std::size_t next = p + 1;
    bool same = false;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
      continue;
    }
    const std::size_t close =
        p < pattern.size() && pattern[p] == '[' ? pattern.find(']', p + 2) : std::string_view::npos;
    if (close != std::string_view::npos) {
      std::string_view set = pattern.substr(p + 1, close - p - 1);
      const bool negated = set.starts_with('!') || set.starts_with('^');
      if (negated) set.remove_prefix(1);
      same = text[t] != '/' && in_class(set, text[t]) != negated;
      next = close + 1;
    } else if (p < pattern.size()) {
      same = pattern[p] == text[t] || (pattern[p] == '?' && text[t] != '/');
    }
    if (same) {
      p = next;
      ++t;
    } else if (star != std::string_view::npos && text[mark] != '/') {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::vector<std::string> telling_parts(const fs::path& path) {
  std::vector<std::string> parts;
  const fs::path whole = fs::absolute(path).lexically_normal();
  for (const fs::path& part : whole.has_filename() ? whole.parent_path() : whole.parent_path().parent_path()) {
    const std::string name = part.string();
    if (name != "/" && !seed_number(name) && name != "checkpoints") parts.push_back(name);
  }
  const fs::path last = whole.has_filename() ? whole.filename() : whole.parent_path().filename();
  const std::string stem = is_weights_name(last) ? last.stem().string() : last.string();
  if (parts.empty() || !says_nothing(stem)) parts.push_back(stem);
  return parts;
}

std::vector<std::string> short_names(const std::vector<std::vector<std::string>>& parts) {
  std::vector<std::string> names(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto ending = [&](const std::vector<std::string>& list, std::size_t length) {
      const std::size_t skipped = list.size() - std::min(length, list.size());
      return join(std::span(list).subspan(skipped), "/");
    };
    for (std::size_t length = 1; length <= std::max<std::size_t>(parts[i].size(), 1); ++length) {
      names[i] = ending(parts[i], length);
      const bool clear = std::all_of(parts.begin(), parts.end(), [&](const std::vector<std::string>& other) {
        return other == parts[i] || ending(other, length) != names[i];
      });
      if (clear) break;
    }
  }
  return names;
}

std::vector<WeightsFile> weights_files(const ForeignModel& model) {
  std::error_code ignored;
  if (fs::is_regular_file(model.checkpoint, ignored)) return {numbered_file(model, model.checkpoint)};
  if (fs::is_directory(model.checkpoint, ignored)) return in_folder(model);
  if (model.checkpoint.string().find_first_of("*?[") != std::string::npos) return of_pattern(model);
  throw Error(ErrorKind::data,
              fmt::format("{}: model.checkpoint '{}' is not there", model.where, model.checkpoint.string()));
}

}  // namespace nearfar
