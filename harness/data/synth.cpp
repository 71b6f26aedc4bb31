#include "data/synth.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/set_name.h"
#include "data/listed_set.h"
#include "data/synth_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

enum class Kind { cifar, digits, tiny, photo };  // sizes and modes

/// How a data set of OpenOOD's names its files. {split} {class} {label} {n} {hash} {digit}; n counts within the folder
/// `dataset`.
struct Style {
  std::string_view dataset, path;
  Kind kind;
};

constexpr Style kStyles[] = {
    {"cifar10", "cifar10/{split}/{class}/{n:04}.png", Kind::cifar},
    {"cifar100", "cifar100/{split}/{class}/{n:04}.png", Kind::cifar},
    {"cifar10c", "cifar10c/{n:05}_{label}.png", Kind::cifar},
    {"cifar100c", "cifar100c/{n:05}_{label}.png", Kind::cifar},
    {"tin", "tin/val/images/val_{n}.JPEG", Kind::tiny},
    {"mnist", "mnist/{split}/{digit}_{n}.jpg", Kind::digits},
    {"svhn", "svhn/{split}/{n:06}_{digit}.jpg", Kind::cifar},
    {"texture", "texture/gauzy/gauzy_{n:04}.jpg", Kind::photo},
    {"places365", "places365/field-cultivated/Places365_val_{n:08}.jpg", Kind::photo},
    {"imagenet_1k", "imagenet_1k/{split}/ILSVRC2012_{split}_{n:08}.JPEG", Kind::photo},
    {"imagenet_v2", "imagenet_v2/{label}/{hash}.jpeg", Kind::photo},
    {"imagenet_c", "imagenet_c/jpeg_compression/1/ILSVRC2012_val_{n:08}.JPEG", Kind::photo},
    {"imagenet_r", "imagenet_r/n{label:08}/misc_{n}.jpg", Kind::photo},
    {"imagenet_es", "imagenet_es/{label}/{n:05}.jpg", Kind::photo},
    {"ssb_hard", "ssb_hard/n1162236{digit}/n1162236{digit}_{n}.JPEG", Kind::photo},
    {"ninco", "ninco/species_{digit}/{n:05}.jpeg", Kind::photo},
    {"inaturalist", "inaturalist/images/{hash}.jpg", Kind::photo},
    {"openimage_o", "openimage_o/images/{hash}.jpg", Kind::photo},
};
constexpr std::string_view kImageNetTrain = "imagenet_1k/train/n{label:08}/n{label:08}_{n}.JPEG";

struct ListName {
  std::string split, dataset;
};

/// "val_tin" → val, tin. ImageNet's lists do not name their folders: "test_imagenet200_v2" lies in imagenet_v2.
ListName list_name(const SourceSpec& source) {
  const std::string stem = source.list_file.empty() ? source.name : fs::path(source.list_file).stem().string();
  ListName name{"test", stem};
  for (const char* split : {"train", "val", "test"}) {
    const std::string prefix = std::string(split) + "_";
    if (stem.starts_with(prefix)) name = {split, stem.substr(prefix.size())};
  }
  if (name.dataset.starts_with("imagenet")) {
    const std::size_t end = name.dataset.rfind('_');
    name.dataset = "imagenet_" + (end == std::string::npos ? "1k" : name.dataset.substr(end + 1));
    if (name.dataset == "imagenet_1k" && name.split == "test")
      name.split = "val";  // both are cut from ILSVRC's validation images
  }
  if (name.dataset == "textures") name.dataset = "texture";
  return name;
}

Style style_of(const ListName& name) {
  for (const Style& style : kStyles) {
    if (style.dataset != name.dataset) continue;
    if (name.dataset == "imagenet_1k" && name.split == "train") return {style.dataset, kImageNetTrain, style.kind};
    return style;
  }
  return {name.dataset, "", Kind::photo};
}

/// Blanks would split a line of a list, slashes a path.
std::string file_part(std::string text) {
  for (char& c : text) {
    if (c == ' ' || c == '/' || c == '\\' || static_cast<unsigned char>(c) < 32) c = '_';
  }
  return text.empty() || text == "." || text == ".." ? "_" : text;
}

struct Image {
  fs::path file;
  SynthSubject subject;
  SynthMode mode{};
};

/// What the sets of one source ask for.
struct Wanted {
  const SetSpec* set = nullptr;   // the first of them
  std::set<std::int64_t> labels;  // of the source
  std::int64_t images = 0;
};

std::int64_t folder_count(const Benchmark& benchmark, const SourceSpec& source, bool inside) {
  if (!source.folders.empty()) return static_cast<std::int64_t>(source.folders.size());
  return inside ? static_cast<std::int64_t>(benchmark.classes.size()) : 3;
}

std::map<std::string, Wanted> wanted_of(const Benchmark& benchmark, std::int64_t per_set, std::int64_t& left_out) {
  std::map<std::string, Wanted> all;
  for (const SetSpec& set : benchmark.sets) {
    const SourceSpec& source = benchmark.source(set.source);
    if (!is_listed(source)) {
      ++left_out;
      continue;
    }
    Wanted& wanted = all[set.source];
    if (!wanted.set) wanted.set = &set;
    std::vector<std::int64_t> labels = set.classes;
    if (labels.empty()) {
      const bool counted = is_labelled_group(set.group) || source.type == SourceType::folders;
      const auto classes = source.type == SourceType::folders
                               ? folder_count(benchmark, source, is_labelled_group(set.group))
                               : static_cast<std::int64_t>(benchmark.classes.size());
      for (std::int64_t label = 0; counted && label < classes; ++label) labels.push_back(label);
      if (!counted) labels.push_back(-1);
    }
    wanted.labels.insert(labels.begin(), labels.end());
    const auto kinds = static_cast<std::int64_t>(wanted.labels.size());
    const std::int64_t size = std::max(set.name == sets::kTrain ? 4 * per_set : per_set, kinds);
    // A set that passes over the first of each class needs these too.
    wanted.images = std::max(wanted.images, size) + set.skip_per_class * kinds;
  }
  return all;
}

/// Width and height as the real files have them, or at least of many proportions.
std::pair<std::int64_t, std::int64_t> size_of(Kind kind, const Preprocess& preprocess, std::uint64_t random) {
  if (preprocess.resize == Preprocess::Resize::none) return {preprocess.width, preprocess.height};
  if (kind == Kind::cifar) return {32, 32};
  if (kind == Kind::digits) return {28, 28};
  if (kind == Kind::tiny) return {64, 64};
  constexpr std::pair<std::int64_t, std::int64_t> kShapes[] = {{96, 72}, {75, 100}, {90, 90}, {128, 85}, {80, 121}};
  const auto [width, height] = kShapes[random % 5];
  const std::int64_t scale = random % 16 == 0 ? 3 : 1;  // some are larger than the pipeline wants, most are smaller
  return {width * scale, height * scale};
}

SynthMode mode_of(Kind kind, bool png_name, std::int64_t number) {
  if (kind == Kind::digits)
    return number % 2 ? SynthMode::gray : SynthMode::jpeg_gray;  // a PNG named .jpg: the content decides
  if (!png_name) {
    if (number % 11 == 5) return SynthMode::rgb;
    return number % 7 == 3 ? SynthMode::jpeg_gray : SynthMode::jpeg;
  }
  constexpr SynthMode kOdd[] = {SynthMode::palette, SynthMode::rgba, SynthMode::gray, SynthMode::gray_alpha,
                                SynthMode::gray16};
  return number % 5 == 3 ? kOdd[static_cast<std::size_t>(number / 5) % 5] : SynthMode::rgb;
}

class Maker {
 public:
  Maker(const Benchmark& benchmark, fs::path out, std::uint64_t seed)
      : benchmark_(benchmark), out_(std::move(out)), seed_(seed) {}

  /// Lists and folders, and what must be drawn.
  void plan(const Wanted& wanted) {
    const SourceSpec& source = benchmark_.source(wanted.set->source);
    const ListName name = list_name(source);
    const Style style = style_of(name);
    const std::uint64_t look = xxh3(std::as_bytes(std::span(name.dataset)));
    const std::vector<std::int64_t> labels(wanted.labels.begin(), wanted.labels.end());
    const fs::path folder = root_of(source) / source.folder;
    std::string list;
    for (std::int64_t i = 0; i < wanted.images; ++i) {
      const std::int64_t label = labels[static_cast<std::size_t>(i) % labels.size()];
      const std::int64_t number = next_number_[folder / name.dataset]++;
      const std::uint64_t random =
          mix(mix(seed_, look), mix(static_cast<std::uint64_t>(number), xxh3(std::as_bytes(std::span(name.split)))));
      const std::string path = source.type == SourceType::folders
                                   ? in_class_folder(*wanted.set, source, label, number)
                                   : path_of(*wanted.set, style, name, label, number, random);
      const auto [width, height] = size_of(style.kind, wanted.set->preprocess, random);
      images_.push_back({.file = folder / path,
                         .subject = {.label = class_of(*wanted.set, label),
                                     .look = look,
                                     .shifted = wanted.set->group == groups::kCsid,
                                     .random = random,
                                     .width = width,
                                     .height = height},
                         .mode = mode_of(style.kind, path.ends_with(".png"), number)});
      list += fmt::format("{} {}\n", path, label);
    }
    if (source.type == SourceType::list) write_file_atomic(root_of(source) / source.list_file, list);
  }

  /// On all cores; which thread draws an image changes nothing.
  void draw_all() const {
    std::set<fs::path> folders;
    for (const Image& image : images_) folders.insert(image.file.parent_path());
    for (const fs::path& folder : folders) {
      std::error_code code;
      fs::create_directories(folder, code);
      if (code)
        throw Error(ErrorKind::data, fmt::format("{}: the folder cannot be made: {}", folder.string(), code.message()));
    }
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::exception_ptr failure;
    {
      std::vector<std::jthread> workers;
      for (unsigned i = 0; i < std::clamp(std::thread::hardware_concurrency(), 1U, 16U); ++i) {
        workers.emplace_back([&] {
          try {
            for (std::size_t at = next++; at < images_.size(); at = next++) write(images_[at]);
          } catch (...) {
            next = images_.size();
            const std::lock_guard lock(mutex);
            failure = std::current_exception();
          }
        });
      }
    }
    if (failure) std::rethrow_exception(failure);
  }

  std::int64_t images() const { return static_cast<std::int64_t>(images_.size()); }

 private:
  fs::path root_of(const SourceSpec& source) const {
    for (const DataRoot& root : benchmark_.roots) {
      if (root.name != source.root) continue;
      const std::string inner = root.in_data_root.empty() ? root.name : root.in_data_root;
      return inner == "." ? out_ : out_ / inner;
    }
    throw Error(ErrorKind::internal, "a source without a root passed validation");
  }

  /// Class of the benchmark; -1 for OOD.
  static std::int64_t class_of(const SetSpec& set, std::int64_t label) {
    if (!is_labelled_group(set.group)) return -1;
    if (set.classes.empty()) return label;
    const auto found = std::find(set.classes.begin(), set.classes.end(), label);
    return found == set.classes.end() ? -1 : found - set.classes.begin();
  }

  std::string class_name(const SetSpec& set, std::int64_t label, std::int64_t number) const {
    const std::int64_t klass = class_of(set, label);
    if (klass >= 0 && klass < static_cast<std::int64_t>(benchmark_.classes.size()))
      return file_part(benchmark_.classes[static_cast<std::size_t>(klass)]);
    return fmt::format("class_{}", number % 10);
  }

  std::string path_of(const SetSpec& set, const Style& style, const ListName& name, std::int64_t label,
                      std::int64_t number, std::uint64_t random) const {
    // The reference cuts CIFAR's validation list from the test images.
    const std::string split = style.kind == Kind::cifar && name.split == "val" ? "test" : name.split;
    const std::string dataset = file_part(name.dataset);
    if (style.path.empty())
      return fmt::format("{}/{}/{}/{:05}.png", dataset, split, class_name(set, label, number), number);
    return fmt::format(fmt::runtime(style.path), fmt::arg("split", split),
                       fmt::arg("class", class_name(set, label, number)),
                       fmt::arg("label", std::max<std::int64_t>(label, 0)), fmt::arg("n", number),
                       fmt::arg("hash", fmt::format("{:016x}", random)), fmt::arg("digit", number % 10));
  }

  std::string in_class_folder(const SetSpec& set, const SourceSpec& source, std::int64_t label,
                              std::int64_t number) const {
    const bool by_name = benchmark_.classes_named && is_labelled_group(set.group) && set.classes.empty();
    const auto index = static_cast<std::size_t>(label);
    const std::string folder = !source.folders.empty() ? source.folders[index]
                               : by_name               ? benchmark_.classes[index]
                                                       : fmt::format("{:04}_{}", label, class_name(set, label, 0));
    return fmt::format("{}/{:05}.{}", folder, number, number % 2 ? "jpg" : "png");
  }

  static void write(const Image& image) {
    const std::vector<std::uint8_t> bytes = encode(draw(image.subject), image.mode);
    std::ofstream out(image.file, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out)
      throw Error(ErrorKind::data, fmt::format("{}: cannot be written: {}", image.file.string(), std::strerror(errno)));
  }

  const Benchmark& benchmark_;
  fs::path out_;
  std::uint64_t seed_;
  std::map<fs::path, std::int64_t> next_number_;  // lists that share a folder of images share no image
  std::vector<Image> images_;
};

}  // namespace

SynthReport synth_data(const Benchmark& benchmark, const fs::path& out, std::int64_t per_set, std::uint64_t seed) {
  std::error_code code;
  if (fs::exists(out, code) && !(fs::is_directory(out, code) && fs::is_empty(out, code)))
    throw Error(ErrorKind::data,
                fmt::format("{}: is there and not empty; made images go into a folder of their own", out.string()));
  SynthReport report;
  const std::map<std::string, Wanted> all = wanted_of(benchmark, per_set, report.left_out);
  if (all.empty()) {
    throw Error(
        ErrorKind::config,
        fmt::format("no set of benchmark '{}' ({}) comes from an image list or class folders, so there is nothing "
                    "to make",
                    benchmark.name, benchmark.file.string()));
  }
  Maker maker(benchmark, out, seed);
  for (const SetSpec& set : benchmark.sets) {
    const auto wanted = all.find(set.source);
    if (wanted != all.end() && wanted->second.set == &set) maker.plan(wanted->second);
  }
  maker.draw_all();
  report.lists = static_cast<std::int64_t>(all.size());
  report.images = maker.images();
  return report;
}

}  // namespace nearfar
