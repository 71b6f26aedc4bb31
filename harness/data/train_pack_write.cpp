// pack_for_training: chunks of images are decoded by all threads, written, synced, and noted in a journal.
#include "base/error.h"
#include "base/files.h"
#include "data/pack_io.h"
#include "data/train_pack.h"
#include "data/train_pack_format.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kChunkBytes = std::int64_t{64} << 20;

std::int64_t next_page(std::int64_t offset) { return (offset + kTrainPackPage - 1) / kTrainPackPage * kTrainPackPage; }

/// One image, decoded and resized.
struct Made {
  TrainPackEntry entry;  // without offset
  std::vector<std::uint8_t> pixels;
};

/// The file in work: FILE.part, and FILE.journal with the header and, a chunk, its entries and their checksum.
class Writer {
 public:
  Writer(fs::path file, const TrainPackHeader& header, const ListedSet& set, std::int64_t chunk)
      : file_(std::move(file)), part_file_(file_), journal_file_(file_), header_(header), chunk_(chunk) {
    part_file_ += ".part";
    journal_file_ += ".journal";
    journal_ = open_locked(journal_file_);
    part_.reset(open_to_write(part_file_));
    resume(set);
  }

  std::int64_t done() const { return static_cast<std::int64_t>(entries_.size()); }

  void add(std::vector<Made>& chunk) {
    const std::size_t first = entries_.size();
    for (Made& one : chunk) {
      one.entry.offset = end_;
      one.entry.checksum = xxh3(std::as_bytes(std::span(one.pixels)));
      write_at(part_.get(), part_file_, std::as_bytes(std::span(one.pixels)), end_);
      end_ += one.entry.bytes();
      entries_.push_back(one.entry);
    }
    sync(part_.get(), part_file_);
    const std::span<const std::byte> added = std::as_bytes(std::span(entries_).subspan(first));
    const std::uint64_t check = xxh3(added);
    write_at(journal_.get(), journal_file_, added, journal_end_);
    write_at(journal_.get(), journal_file_, std::as_bytes(std::span(&check, 1)),
             journal_end_ + static_cast<std::int64_t>(added.size()));
    sync(journal_.get(), journal_file_);
    journal_end_ += static_cast<std::int64_t>(added.size()) + 8;
  }

  std::int64_t finish() {
    NEARFAR_ASSERT(done() == header_.count);
    header_.entries_at = next_page(end_);
    header_.checksum = train_pack_checksum(header_, entries_);
    const std::span<const std::byte> table = std::as_bytes(std::span(entries_));
    write_at(part_.get(), part_file_, table, header_.entries_at);
    write_at(part_.get(), part_file_, std::as_bytes(std::span(&header_, 1)), 0);
    sync(part_.get(), part_file_);
    if (::rename(part_file_.c_str(), file_.c_str()) != 0) fail_io(file_, "renaming failed", errno);
    sync_folder(file_.parent_path());
    ::unlink(journal_file_.c_str());
    return header_.entries_at + static_cast<std::int64_t>(table.size());
  }

  void abandon() {
    ::unlink(part_file_.c_str());
    ::unlink(journal_file_.c_str());
  }

 private:
  /// As far as the journal makes sense and belongs to the files as they are now. Pixels are synced before their
  /// entries, so the entries stand for them.
  void resume(const ListedSet& set) {
    TrainPackHeader found;
    const bool same =
        read_at(journal_.get(), journal_file_, std::as_writable_bytes(std::span(&found, 1)), 0) == sizeof found &&
        std::memcmp(&found, &header_, sizeof found) == 0;
    journal_end_ = sizeof found;
    while (same && done() < header_.count) {
      std::vector<TrainPackEntry> entries(static_cast<std::size_t>(std::min(chunk_, header_.count - done())));
      std::uint64_t check = 0;
      const std::span<std::byte> bytes = std::as_writable_bytes(std::span(entries));
      const std::int64_t check_at = journal_end_ + static_cast<std::int64_t>(bytes.size());
      if (read_at(journal_.get(), journal_file_, bytes, journal_end_) < bytes.size() ||
          read_at(journal_.get(), journal_file_, std::as_writable_bytes(std::span(&check, 1)), check_at) < 8 ||
          check != xxh3(bytes) || !fits(entries, set))
        break;
      entries_.insert(entries_.end(), entries.begin(), entries.end());
      end_ = entries.back().offset + entries.back().bytes();
      journal_end_ = check_at + 8;
    }
    if (size_of(part_.get(), part_file_) < end_) {
      entries_.clear();
      end_ = kTrainPackPage;
    }
    if (entries_.empty()) {
      journal_end_ = sizeof found;
      write_at(journal_.get(), journal_file_, std::as_bytes(std::span(&header_, 1)), 0);
    }
    nearfar::set_size(journal_.get(), journal_file_, journal_end_);
    nearfar::set_size(part_.get(), part_file_, end_);
  }

  bool fits(const std::vector<TrainPackEntry>& entries, const ListedSet& set) const {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const FileStat& now = set.files[entries_.size() + i];
      if (entries[i].file.size != now.size || entries[i].file.modified != now.modified) return false;
    }
    return true;
  }

  fs::path file_, part_file_, journal_file_;
  TrainPackHeader header_;
  std::int64_t chunk_;
  std::int64_t end_ = kTrainPackPage, journal_end_ = 0;
  std::vector<TrainPackEntry> entries_;
  Descriptor part_, journal_;
};

/// torchvision's Resize(side) where the shorter side is above it.
ImageSize short_side(const ImageSize& in, std::int64_t side) {
  if (std::min(in.width, in.height) <= side) return in;
  const auto longer = [&](std::int64_t length, std::int64_t shorter) {
    return static_cast<std::int64_t>(static_cast<double>(side * length) / static_cast<double>(shorter));
  };
  if (in.width <= in.height) return {side, longer(in.height, in.width)};
  return {longer(in.width, in.height), side};
}

void make(const ListedSet& set, std::int64_t index, std::int64_t side, CropReader& reader,
          std::vector<std::uint8_t>& bytes, Made& made) {
  bool was_read = false;
  try {
    made.entry = {};
    const FileStat& file = set.files[static_cast<std::size_t>(index)];
    made.entry.file = {.size = file.size, .modified = file.modified, .content = set.read(index, bytes)};
    was_read = true;
    const ImageSize in = reader.open(bytes), out = short_side(in, side);
    made.entry.width = static_cast<std::int32_t>(out.width);
    made.entry.height = static_cast<std::int32_t>(out.height);
    made.pixels.resize(static_cast<std::size_t>(made.entry.bytes()));
    reader.set_size(out.height, out.width);
    const Crop crop{{0, 0, in.width, in.height}, made.pixels.data()};
    made.entry.damaged = reader.read({&crop, 1}, false) ? 1 : 0;
  } catch (const FileChanged&) {
    throw;
  } catch (const Error& error) {
    throw Error(ErrorKind::data,
                fmt::format("{}: {}{}; a training copy is always complete: get the file again, or go on without a "
                            "training copy and with data.on_unreadable=skip",
                            set.where(index), was_read ? set.file(index) + ": " : "", error.what()));
  }
}

/// Images first … of the set; what the first one in order throws is thrown.
void make_chunk(const ListedSet& set, std::int64_t first, std::int64_t side, int threads, std::vector<Made>& chunk) {
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> thrown(chunk.size());
  {
    std::vector<std::jthread> running;
    for (int i = 0; i < std::clamp(threads, 1, 256); ++i) {
      running.emplace_back([&] {
        CropReader reader(side, side);
        std::vector<std::uint8_t> bytes;
        for (std::size_t at = next++; at < chunk.size(); at = next++) {
          try {
            make(set, first + static_cast<std::int64_t>(at), side, reader, bytes, chunk[at]);
          } catch (...) {
            thrown[at] = std::current_exception();
          }
        }
      });
    }
  }
  for (const std::exception_ptr& one : thrown) {
    if (one) std::rethrow_exception(one);
  }
}

ListedSet open_to_pack(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options) {
  if (!is_listed(benchmark.source(benchmark.set(set_name).source))) {
    throw Error(ErrorKind::config,
                fmt::format("set '{}' of benchmark '{}' does not come from image files, so there is nothing to pack",
                            set_name, benchmark.name));
  }
  LoadOptions strict = options;
  strict.on_unreadable = OnUnreadable::fail;
  strict.identity = DataIdentity::stat;  // every file is read once, to be packed: its hash comes with it
  strict.originals = true;
  return open_listed_set(benchmark, set_name, strict);
}

}  // namespace

PackReport pack_for_training(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options,
                             std::int64_t side, const PackOptions& packing) {
  if (side < 16 || side > 4096)
    throw Error(ErrorKind::config, fmt::format("a training copy of side {}: 16 to 4096 are possible", side));
  const ListedSet set = open_to_pack(benchmark, set_name, options);
  PackReport report{.file = train_pack_file(benchmark, options, set, side), .images = set.info.count};
  std::error_code code;
  const auto is_there = [&] { return fs::exists(report.file, code); };
  const auto was_there = [&] {
    static_cast<void>(TrainPack(report.file, set, side));  // not a damaged or a stale one
    report.already_there = true;
    report.bytes = static_cast<std::int64_t>(fs::file_size(report.file));
    return report;
  };
  if (is_there()) return was_there();
  fs::create_directories(report.file.parent_path(), code);
  if (code) {
    throw Error(ErrorKind::data, fmt::format("{}: the folder for packed copies cannot be made: {}; set data.packed (or "
                                             "NEARFAR_PACKED) to another",
                                             report.file.parent_path().string(), code.message()));
  }
  TrainPackHeader header;
  header.count = set.info.count;
  header.side = side;
  NEARFAR_ASSERT(set.list_hash.size() == sizeof header.list_hash);
  std::copy(set.list_hash.begin(), set.list_hash.end(), header.list_hash);
  const std::int64_t chunk =
      packing.chunk_images > 0 ? packing.chunk_images : std::max<std::int64_t>(1, kChunkBytes / (side * side * 4));
  Writer writer(report.file, header, set, chunk);
  if (is_there()) {  // another process may have finished it between our look and our lock
    writer.abandon();
    return was_there();
  }
  report.resumed = writer.done();
  if (packing.progress) packing.progress(writer.done(), header.count);
  std::vector<Made> made;
  while (writer.done() < header.count) {
    made.resize(static_cast<std::size_t>(std::min(chunk, header.count - writer.done())));
    make_chunk(set, writer.done(), side, options.threads, made);
    writer.add(made);
    if (packing.progress) packing.progress(writer.done(), header.count);
    if (packing.should_stop && writer.done() < header.count && packing.should_stop()) {
      throw Error(ErrorKind::interrupted,
                  fmt::format("packing of set '{}' stopped after {} of {} images; the same command goes on there",
                              set_name, writer.done(), header.count));
    }
  }
  report.bytes = writer.finish();
  return report;
}

}  // namespace nearfar
