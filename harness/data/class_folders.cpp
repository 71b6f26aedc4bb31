#include "data/class_folders.h"

#include "base/error.h"
#include "base/text.h"
#include "data/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 16;  ///< links may lead in a circle
constexpr std::array<std::string_view, 11> kRead = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp",
                                                    ".tif", ".tiff", ".ppm", ".pgm",  ".pbm"};
constexpr std::array<std::string_view, 3> kNotRead = {".heic", ".avif", ".jxl"};

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw Error(ErrorKind::data, fmt::format("{}: {}", printable(path.string(), 1000), what));
}

std::string suffix(const fs::path& file) {
  std::string text = file.extension().string();
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

template <std::size_t N>
bool has(const std::array<std::string_view, N>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

void require_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) fail(folder, "there is no such folder; one folder of images a class expected");
}

struct Entries {
  std::vector<std::string> files, folders;  ///< names, sorted
};

Entries read_folder(const fs::path& folder) {
  Entries entries;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with('.')) continue;
    std::error_code ignored;
    if (at->is_directory(ignored)) {
      entries.folders.push_back(name);
    } else if (has(kRead, suffix(name))) {
      entries.files.push_back(name);
    } else if (has(kNotRead, suffix(name))) {
      fail(at->path(), "images of this format are not read; convert the folder to PNG or JPEG");
    }
  }
  if (error) fail(folder, fmt::format("cannot be listed: {}", error.message()));
  std::sort(entries.files.begin(), entries.files.end());
  std::sort(entries.folders.begin(), entries.folders.end(), natural_less);
  return entries;
}

class Lister {
 public:
  Lister(const fs::path& top, bool follow_links) : top_(top), follow_links_(follow_links) {}

  /// Everything beneath top/name.
  void add_class(const std::string& name, std::int32_t label) {
    const std::int64_t before = list.count();
    add_folder(name, label, 1);
    if (list.count() == before)
      fail(top_ / name,
           "this class folder has no images (.jpg, .jpeg, .png, .webp, .gif, .bmp, .tif, .tiff, .ppm, .pgm, .pbm)");
  }
  void add_files(const std::string& folder, const Entries& entries, std::int32_t label) {
    for (const std::string& name : entries.files) list.add(folder.empty() ? name : folder + "/" + name, label);
  }

  ImageList list;

 private:
  void add_folder(const std::string& name, std::int32_t label, int depth) {
    std::error_code error;
    if (!fs::is_directory(top_ / name, error)) fail(top_ / name, "there is no such class folder");
    if (!follow_links_ && fs::is_symlink(top_ / name, error)) {
      fail(top_ / name, "is a symbolic link to a folder; set data.follow_links=true if that is meant");
    }
    if (depth > kDeepest) fail(top_ / name, fmt::format("is more than {} folders deep", kDeepest));
    const Entries entries = read_folder(top_ / name);
    add_files(name, entries, label);
    for (const std::string& inner : entries.folders) add_folder(name + "/" + inner, label, depth + 1);
  }

  const fs::path top_;
  const bool follow_links_;
};

}  // namespace

std::vector<std::string> class_folder_names(const fs::path& folder) {
  require_folder(folder);
  return read_folder(folder).folders;
}

std::string image_beside(const fs::path& folder) {
  const Entries entries = read_folder(folder);
  return entries.files.empty() ? "" : entries.files.front();
}

ImageList list_class_folders(const fs::path& folder, const std::vector<ClassFolder>& classes, bool follow_links) {
  require_folder(folder);
  Lister lister(folder, follow_links);
  for (const ClassFolder& one : classes) lister.add_class(one.name, one.label);
  if (classes.empty()) {
    const Entries entries = read_folder(folder);
    lister.add_files("", entries, -1);
    std::int32_t label = 0;
    for (const std::string& name : entries.folders) lister.add_class(name, label++);
  }
  if (lister.list.count() == 0)
    fail(folder,
         "has no images (.jpg, .jpeg, .png, .webp, .gif, .bmp, .tif, .tiff, .ppm, .pgm, .pbm) and no class folders");
  return std::move(lister.list);
}

}  // namespace nearfar
