#include "data/check.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/set_name.h"
#include "data/class_check.h"
#include "data/content_index.h"
#include "data/decode_pool.h"
#include "data/listed_set.h"
#include "data/pack.h"
#include "data/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostExamples = 5;
constexpr std::int64_t kSlab = 64;

/// A set while it is looked at.
struct Opened {
  std::optional<ListedSet> listed;
  std::vector<std::int64_t> labels;
  std::vector<std::int64_t> indices;  // of sets in memory: positions in the source
  std::string source;
};

class Checker {
 public:
  Checker(const Benchmark& benchmark, const LoadOptions& options,
          const std::function<void(std::int64_t, std::int64_t)>& progress)
      : benchmark_(benchmark), options_(options), progress_(progress), opened_(benchmark.sets.size()) {
    lenient_ = options;
    lenient_.on_unreadable = OnUnreadable::skip;
    lenient_.allow_count_mismatch = true;
    lenient_.identity = DataIdentity::stat;  // every file is read anyway
  }

  DataCheck run() {
    result_.benchmark = benchmark_.name;
    result_.data_root = data_root();
    result_.classes = static_cast<std::int64_t>(benchmark_.classes.size());
    for (const SetSpec& spec : benchmark_.sets)
      result_.sets.push_back({.name = spec.name,
                              .group = spec.group,
                              .expected = spec.count,
                              .first_bad = {},
                              .first_damaged = {},
                              .error = {}});
    open_lists();
    for (std::size_t i = 0; i < opened_.size(); ++i) {
      if (opened_[i].listed) look_at_files(i);
    }
    look_at_memory();
    count_classes();
    compare_contents();
    judge();
    return std::move(result_);
  }

 private:
  std::string data_root() const {
    if (!options_.data_root.empty() || benchmark_.roots.empty()) return options_.data_root.string();
    try {
      return find_root(benchmark_, benchmark_.roots.front().name, options_).string();
    } catch (const Error&) {
      return "";  // every set says so
    }
  }

  const SourceSpec& source_of(std::size_t i) const { return benchmark_.source(benchmark_.sets[i].source); }

  /// All lists before the first file: then the whole is known.
  void open_lists() {
    for (std::size_t i = 0; i < opened_.size(); ++i) {
      const SetSpec& spec = benchmark_.sets[i];
      SetCheck& entry = result_.sets[i];
      opened_[i].source = spec.source;
      if (!is_listed(source_of(i))) {
        total_ += options_.limit > 0 ? std::min(options_.limit, spec.count) : spec.count;
        continue;
      }
      try {
        ListedSet set = open_listed_set(benchmark_, spec.name, lenient_);
        // A set with a packed copy has not looked for its files.
        if (set.packed)
          set.folder = BeneathFolder(find_root(benchmark_, source_of(i).root, options_) / source_of(i).folder,
                                     options_.follow_links);
        entry.listed = set.info.available;
        entry.checked = set.info.count;
        opened_[i].labels = set.info.labels;
        if (!set.info.folders.empty()) orders_.push_back({spec.name, set.info.folders});
        total_ += set.info.count;
        opened_[i].listed = std::move(set);
      } catch (const Error& error) {
        note_error(entry, error);
      }
    }
  }

  static void note_error(SetCheck& entry, const Error& error) {
    if (error.kind() != ErrorKind::data) throw Error(error);
    entry.error = error.what();
  }

  void look_at_files(std::size_t i) {
    const ListedSet& set = *opened_[i].listed;
    SetCheck& entry = result_.sets[i];
    try {
      const std::optional<PackedSet> packed = set.packed ? PackedSet::find(packed_folder(benchmark_, options_),
                                                                           set.list_hash, preprocess_id(set.preprocess))
                                                         : std::nullopt;
      DecodePool pool(set, 0, kSlab, options_.threads);
      for (DecodedSlab slab; pool.next(slab); done(slab.count)) look_at_slab(i, slab, packed ? &*packed : nullptr);
    } catch (const Error& error) {
      note_error(entry, error);
    }
  }

  void look_at_slab(std::size_t i, const DecodedSlab& slab, const PackedSet* packed) {
    const ListedSet& set = *opened_[i].listed;
    SetCheck& entry = result_.sets[i];
    const std::size_t size = slab.pixels.size() / static_cast<std::size_t>(slab.count);
    for (const std::int64_t image : slab.damaged) {
      ++entry.damaged;
      note(entry.first_damaged,
           fmt::format("{}: {}: is cut off or has errors; missing pixels are filled as Pillow does", set.where(image),
                       printable((set.folder.path() / set.path(image)).string(), 1000)));
    }
    auto failure = slab.failures.begin();
    for (std::int64_t k = 0; k < slab.count; ++k) {
      const std::int64_t image = slab.first + k;
      if (failure != slab.failures.end() && failure->index == image) {
        ++(failure->missing ? entry.missing : entry.unreadable);
        note(entry.first_bad, failure->message);
        ++failure;
        continue;
      }
      const auto pixels = slab.pixels.subspan(static_cast<std::size_t>(k) * size, size);
      contents_.add(pixels, i, image);
      if (packed && std::memcmp(packed->rows(image, image + 1).data(), pixels.data(), size) != 0) {
        ++entry.stale;
        note(entry.first_bad,
             fmt::format("{}: {}: the packed copy {} has other pixels than the file; remove it and pack "
                         "again (nearfar data pack)",
                         set.where(image), printable((set.folder.path() / set.path(image)).string(), 1000),
                         (packed_folder(benchmark_, options_) / packed_name(set.list_hash)).string()));
      }
    }
  }

  static void note(std::vector<std::string>& first, std::string message) {
    if (first.size() < kMostExamples) first.push_back(std::move(message));
  }

  /// Sets of idx, csv, cifar and generated sources; a source is read once for all its sets, and once for each if one of
  /// them is at fault.
  void look_at_memory() {
    std::map<std::string, std::vector<std::size_t>> by_source;
    for (std::size_t i = 0; i < opened_.size(); ++i) {
      if (!is_listed(source_of(i))) by_source[opened_[i].source].push_back(i);
    }
    for (const auto& [source, members] : by_source) {
      if (members.size() > 1 && load_all(members)) continue;
      for (const std::size_t i : members) {
        try {
          take(i, load_set(benchmark_, benchmark_.sets[i].name, lenient_));
        } catch (const Error& error) {
          note_error(result_.sets[i], error);
        }
      }
    }
  }

  bool load_all(const std::vector<std::size_t>& members) {
    std::vector<std::string> names;
    for (const std::size_t i : members) names.push_back(benchmark_.sets[i].name);
    std::vector<ImageSet> sets;
    try {
      sets = load_sets(benchmark_, names, lenient_);
    } catch (const Error&) {
      return false;  // one by one then, to know which
    }
    for (std::size_t k = 0; k < members.size(); ++k) take(members[k], std::move(sets[k]));
    return true;
  }

  void take(std::size_t i, ImageSet set) {
    SetCheck& entry = result_.sets[i];
    entry.checked = set.count;
    entry.listed = options_.limit > 0 ? describe_set(benchmark_, set.name, lenient_).available : set.count;
    const std::size_t size = set.count > 0 ? set.pixels.size() / static_cast<std::size_t>(set.count) : 0;
    for (std::int64_t image = 0; image < set.count; ++image)
      contents_.add(std::span(set.pixels).subspan(static_cast<std::size_t>(image) * size, size), i, image);
    opened_[i].labels = std::move(set.labels);
    opened_[i].indices = std::move(set.indices);
    done(set.count);
  }

  void done(std::int64_t images) {
    done_ += images;
    if (progress_) progress_(done_, total_);
  }

  std::set<std::int64_t> classes_in(std::size_t i) const {
    return {opened_[i].labels.begin(), opened_[i].labels.end()};
  }

  void count_classes() {
    for (std::size_t i = 0; i < opened_.size(); ++i) {
      SetCheck& entry = result_.sets[i];
      if (is_labelled_group(entry.group)) entry.classes_present = static_cast<std::int64_t>(classes_in(i).size());
    }
  }

  std::string file_of(std::size_t i, std::int64_t image) const {
    const Opened& set = opened_[i];
    if (set.listed) return fmt::format("{} ({})", printable(set.listed->path(image), 1000), set.listed->where(image));
    return fmt::format("image {} of {}", set.indices[static_cast<std::size_t>(image)], set.source);
  }

  bool is_leak(const SetCheck& a, const SetCheck& b) const {
    if (a.group == groups::kControl || b.group == groups::kControl) return false;
    const auto chosen_with = [](const SetCheck& set) {
      return set.name == sets::kTrain || set.name == sets::kVal || set.name == sets::kOodVal;
    };
    return chosen_with(a) || chosen_with(b) || is_labelled_group(a.group) != is_labelled_group(b.group);
  }

  void compare_contents() {
    const ContentComparison comparison = contents_.compare(opened_.size());
    for (std::size_t i = 0; i < opened_.size(); ++i) result_.sets[i].duplicates = comparison.duplicates[i];
    for (const SharedContent& shared : comparison.shared) {
      const SetCheck &first = result_.sets[shared.first], &second = result_.sets[shared.second];
      result_.overlaps.push_back({.first = first.name,
                                  .second = second.name,
                                  .images = shared.images,
                                  .example = fmt::format("{} and {}", file_of(shared.first, shared.example_first),
                                                         file_of(shared.second, shared.example_second)),
                                  .leak = is_leak(first, second)});
    }
  }

  /// A bad file is named before anything else: it is what a person can look at.
  void judge() {
    std::vector<std::string> files, others;
    try {
      result_.class_order = class_order_text(benchmark_, orders_);
    } catch (const Error& error) {
      others.emplace_back(error.what());
    }
    for (std::size_t i = 0; i < opened_.size(); ++i) {
      const SetCheck& entry = result_.sets[i];
      if (!entry.first_bad.empty()) files.push_back(entry.first_bad.front());
      if (!entry.error.empty()) {
        files.push_back(entry.error);
        continue;
      }
      if (entry.expected > 0 && entry.listed != entry.expected && !options_.allow_count_mismatch) {
        others.push_back(fmt::format(
            "set '{}' has {} images, {} expected ({}); get the files that the benchmark was made for, or set "
            "data.allow_count_mismatch=true, which every result will then say",
            entry.name, entry.listed, entry.expected, benchmark_.sets[i].where));
      }
      if (options_.limit > 0) continue;  // a limit may well leave classes out
      const std::string missing = missing_classes_text(benchmark_, entry.name, opened_[i].labels);
      if (!missing.empty()) others.push_back(missing);
    }
    const std::size_t problems = files.size() + others.size();
    if (problems == 0) return;
    result_.ok = false;
    result_.problems = others;
    result_.first_problem = files.empty() ? others.front() : files.front();
    if (problems > 1) result_.first_problem += fmt::format(" ({} more faults are in the table)", problems - 1);
  }

  const Benchmark& benchmark_;
  const LoadOptions& options_;
  LoadOptions lenient_;
  const std::function<void(std::int64_t, std::int64_t)>& progress_;
  std::vector<Opened> opened_;  // as the benchmark's sets
  std::vector<FolderOrder> orders_;
  ContentIndex contents_;
  DataCheck result_;
  std::int64_t done_ = 0, total_ = 0;
};

}  // namespace

DataCheck check_data(const Benchmark& benchmark, const LoadOptions& options,
                     const std::function<void(std::int64_t done, std::int64_t total)>& progress) {
  return Checker(benchmark, options, progress).run();
}

}  // namespace nearfar
