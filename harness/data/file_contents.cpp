#include "data/file_contents.h"

#include "base/error.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "data/in_chunks.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTick = 2'000'000'000;  ///< ns; the slowest clocks of file systems tick every two seconds
constexpr std::int64_t kBlock = 64;            ///< files that a thread takes at a time
constexpr double kSaveSeconds = 60;            ///< at most so much reading is lost when a process is killed

struct IndexHeader {
  char magic[16] = {'n', 'e', 'a', 'r', 'f', 'a', 'r', '-', 'f', 'i', 'l', 'e', 's', '-', '1', '\n'};
  std::uint64_t count = 0;
  std::uint64_t checksum = 0;  ///< XXH3 of the entries
};

Hash128 hash_of(const FileStat& stat) {
  const std::int64_t numbers[] = {stat.size, stat.modified, stat.changed, static_cast<std::int64_t>(stat.inode)};
  return xxh3_128(std::as_bytes(std::span(numbers)));
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void warn_unwritable(const std::string& why) {
  static std::atomic<bool> told{false};
  if (told.exchange(true)) return;
  log_warn(
      fmt::format("hashes of image files cannot be kept, so every plan reads all files anew: {}; set NEARFAR_CACHE "
                  "to a folder that can be written",
                  why));
}

}  // namespace

fs::path contents_folder() {
  const auto set = [](const char* name) -> std::optional<fs::path> {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::optional<fs::path>(value) : std::nullopt;
  };
  if (const auto cache = set("NEARFAR_CACHE")) return *cache / "contents";
  if (const auto cache = set("XDG_CACHE_HOME")) return *cache / "nearfar" / "contents";
  if (const auto home = set("HOME")) return *home / ".cache" / "nearfar" / "contents";
  return {};
}

ContentsIndex::ContentsIndex(const fs::path& folder) {
  const fs::path caches = contents_folder();
  if (caches.empty()) return;
  std::error_code ignored;
  const fs::path whole = fs::canonical(folder, ignored);
  file_ = caches / (sha256((whole.empty() ? folder : whole).string()).substr(0, 32) + ".index");
  open();
}

void ContentsIndex::open() {
  map_.reset();
  std::error_code ignored;
  if (!fs::is_regular_file(file_, ignored)) return;
  try {
    MappedFile map(file_);
    IndexHeader header;
    if (map.bytes().size() < sizeof header) return;
    std::memcpy(&header, map.bytes().data(), sizeof header);
    const std::span<const std::byte> rest = map.bytes().subspan(sizeof header);
    const bool whole = std::memcmp(header.magic, IndexHeader{}.magic, sizeof header.magic) == 0 &&
                       rest.size() % sizeof(Entry) == 0 && rest.size() / sizeof(Entry) == header.count &&
                       xxh3(rest) == header.checksum;
    if (whole) map_.emplace(std::move(map));
  } catch (const Error& error) {
    log_debug(fmt::format("{}: {}", file_.string(), error.what()));
  }
}

std::span<const ContentsIndex::Entry> ContentsIndex::entries() const {
  if (!map_) return {};
  const std::span<const std::byte> rest = map_->bytes().subspan(sizeof(IndexHeader));
  return {reinterpret_cast<const Entry*>(rest.data()), rest.size() / sizeof(Entry)};
}

/// Sorted by hashes, which are spread evenly: a guess by the value lies about the root of the number of entries off.
const ContentsIndex::Entry* ContentsIndex::find(const Hash128& name) const {
  const std::span<const Entry> all = entries();
  if (all.empty()) return nullptr;
  __extension__ using Wide = unsigned __int128;
  const auto guess = static_cast<std::size_t>((static_cast<Wide>(name.low) * all.size()) >> 64U);
  // Steps that double until the name lies between `first` and `last`, then halves.
  std::size_t first = guess, last = guess, step = 16;
  for (; first > 0 && name < all[first].name; step *= 2) first -= std::min(first, step);
  for (step = 16; last < all.size() && all[last].name < name; step *= 2) last += std::min(all.size() - last, step);
  const auto at = std::lower_bound(all.begin() + static_cast<std::ptrdiff_t>(first),
                                   all.begin() + static_cast<std::ptrdiff_t>(last), name,
                                   [](const Entry& entry, const Hash128& wanted) { return entry.name < wanted; });
  return at != all.end() && at->name == name ? &*at : nullptr;
}

std::optional<Hash128> ContentsIndex::find(std::string_view name, const FileStat& now) const {
  const Hash128 key = xxh3_128(std::as_bytes(std::span(name)));
  const auto added = added_.find(key.low);
  const Entry* entry = added != added_.end() && added->second.name == key ? &added->second : find(key);
  return entry != nullptr && entry->stat == hash_of(now) ? std::optional(entry->content) : std::nullopt;
}

void ContentsIndex::remember(std::string_view name, const FileStat& as_read, const Hash128& content) {
  if (std::max(as_read.modified, as_read.changed) > now_ns() - kTick) return;
  const Hash128 key = xxh3_128(std::as_bytes(std::span(name)));
  added_.insert_or_assign(key.low, Entry{key, hash_of(as_read), content});
}

void ContentsIndex::save() {
  if (added_.empty()) return;
  if (file_.empty()) return warn_unwritable("none of NEARFAR_CACHE, XDG_CACHE_HOME and HOME is set");
  open();  // what others have found
  std::vector<Entry> all;
  all.reserve(entries().size() + added_.size());
  for (const Entry& entry : entries()) {
    const auto newer = added_.find(entry.name.low);
    if (newer == added_.end() || newer->second.name != entry.name) all.push_back(entry);
  }
  for (const auto& [key, entry] : added_) all.push_back(entry);
  std::sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  IndexHeader header;
  header.count = all.size();
  header.checksum = xxh3(std::as_bytes(std::span(all)));
  std::string content(reinterpret_cast<const char*>(&header), sizeof header);
  content.append(reinterpret_cast<const char*>(all.data()), all.size() * sizeof(Entry));
  try {
    write_file_atomic(file_, content);
    added_.clear();
    open();
  } catch (const Error& error) {
    warn_unwritable(error.what());
  }
}

namespace {

/// Reads files on several threads; the results come out as blocks.
class Readers {
 public:
  struct Failure {
    std::int64_t index;
    std::string why;
  };
  struct Block {
    std::int64_t first = 0, last = 0;  ///< of `wanted`
    std::vector<Failure> failures;
  };

  Readers(const BeneathFolder& folder, const ContentsRequest& request, std::span<const std::int64_t> wanted,
          std::span<Hash128> contents)
      : folder_(folder), request_(request), wanted_(wanted), contents_(contents) {
    const std::int64_t blocks = (static_cast<std::int64_t>(wanted.size()) + kBlock - 1) / kBlock;
    const std::int64_t threads = std::clamp<std::int64_t>(request.threads, 1, std::min<std::int64_t>(blocks, 256));
    for (std::int64_t i = 0; i < threads; ++i)
      workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }

  /// The next finished block, or nullopt after a tenth of a second. Rethrows what a thread threw.
  std::optional<Block> next() {
    std::unique_lock lock(mutex_);
    finished_.wait_for(lock, std::chrono::milliseconds(100), [this] { return broken_ || !done_.empty(); });
    if (broken_) std::rethrow_exception(broken_);
    if (done_.empty()) return std::nullopt;
    Block block = std::move(done_.back());
    done_.pop_back();
    return block;
  }

 private:
  void work(const std::stop_token& stop) {
    std::vector<std::uint8_t> bytes;
    try {
      while (!stop.stop_requested()) {
        const std::int64_t first = next_.fetch_add(kBlock), end = static_cast<std::int64_t>(wanted_.size());
        if (first >= end) return;
        Block block{first, std::min(first + kBlock, end), {}};
        for (std::int64_t i = block.first; i < block.last; ++i) one(wanted_[static_cast<std::size_t>(i)], bytes, block);
        const std::lock_guard lock(mutex_);
        done_.push_back(std::move(block));
        finished_.notify_one();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      broken_ = std::current_exception();
      finished_.notify_one();
    }
  }

  void one(std::int64_t index, std::vector<std::uint8_t>& bytes, Block& block) {
    try {
      folder_.read(request_.name(index), bytes);
      contents_[static_cast<std::size_t>(index)] = xxh3_128(std::as_bytes(std::span(bytes)));
    } catch (const Error& error) {
      block.failures.push_back({index, error.what()});
    }
  }

  const BeneathFolder& folder_;
  const ContentsRequest& request_;
  const std::span<const std::int64_t> wanted_;
  const std::span<Hash128> contents_;  // each thread writes those of its blocks
  std::atomic<std::int64_t> next_{0};
  std::mutex mutex_;  // of the three below
  std::condition_variable finished_;
  std::vector<Block> done_;
  std::exception_ptr broken_;
  std::vector<std::jthread> workers_;  // last: they stop before what they use goes away
};

/// Reads the files that no index knows.
void read_contents(const BeneathFolder& folder, const ContentsRequest& request, std::span<const std::int64_t> wanted,
                   std::span<Hash128> contents, ContentsIndex& index) {
  const auto total = static_cast<std::int64_t>(wanted.size());
  std::vector<Readers::Failure> failures;
  Readers readers(folder, request, wanted, contents);
  Stopwatch since_saved, since_told;
  bool going_on = !request.progress || request.progress(0, total);
  for (std::int64_t done = 0; done < total && going_on;) {
    if (auto block = readers.next()) {
      std::size_t failed = 0;
      for (std::int64_t i = block->first; i < block->last; ++i) {
        const std::int64_t file = wanted[static_cast<std::size_t>(i)];
        if (failed < block->failures.size() && block->failures[failed].index == file) {
          ++failed;
          continue;
        }
        index.remember(request.name(file), request.files[static_cast<std::size_t>(file)],
                       contents[static_cast<std::size_t>(file)]);
      }
      done += block->last - block->first;
      std::move(block->failures.begin(), block->failures.end(), std::back_inserter(failures));
    }
    if (since_saved.seconds() > kSaveSeconds) {
      index.save();
      since_saved.restart();
    }
    if (request.progress && since_told.seconds() > 0.1) {
      going_on = request.progress(done, total);
      since_told.restart();
    }
  }
  index.save();
  if (!going_on) {
    throw Error(ErrorKind::interrupted,
                fmt::format("{}: stopped while its files were read for the first time; the same "
                            "command goes on there",
                            folder.path().string()));
  }
  std::sort(failures.begin(), failures.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
  for (const Readers::Failure& failure : failures) {
    if (request.failed) request.failed(failure.index, failure.why);
  }
}

}  // namespace

std::vector<Hash128> contents_of(const BeneathFolder& folder, const ContentsRequest& request) {
  ContentsIndex index(folder.path());
  std::vector<Hash128> contents(request.files.size());
  std::vector<std::int64_t> wanted;
  std::vector<char> unknown(request.files.size());
  in_chunks(static_cast<std::int64_t>(request.files.size()), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t file = first; file < last; ++file) {
      const auto i = static_cast<std::size_t>(file);
      if (request.files[i].size < 0) continue;
      const std::optional<Hash128> known = index.find(request.name(file), request.files[i]);
      contents[i] = known.value_or(Hash128{});
      unknown[i] = known ? 0 : 1;
    }
  });
  for (std::size_t i = 0; i < unknown.size(); ++i) {
    if (unknown[i] != 0) wanted.push_back(static_cast<std::int64_t>(i));
  }
  if (!wanted.empty()) read_contents(folder, request, wanted, contents, index);
  return contents;
}

}  // namespace nearfar
