#include "data/pack_writer.h"

#include "base/error.h"
#include "base/files.h"
#include "data/pack_io.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// A record of the journal: a chunk's checksum, its files, and a checksum of both.
std::vector<std::byte> record_of(std::uint64_t sum, std::span<const PackedFile> files) {
  std::vector<std::byte> record(files.size_bytes() + 16);
  std::memcpy(record.data(), &sum, 8);
  std::memcpy(record.data() + 8, files.data(), files.size_bytes());
  const std::uint64_t check = xxh3(std::span(record).first(record.size() - 8));
  std::memcpy(record.data() + record.size() - 8, &check, 8);
  return record;
}

}  // namespace

PackWriter::PackWriter(fs::path file, const PackHeader& header, std::span<const FileStat> files)
    : file_(std::move(file)), part_file_(file_), journal_file_(file_), header_(header) {
  NEARFAR_ASSERT(static_cast<std::int64_t>(files.size()) == header.count);
  files_.reserve(files.size());
  for (const FileStat& one : files) files_.push_back({one.size, one.modified, {}});
  layout_ = pack_layout(header).value();
  part_file_ += ".part";
  journal_file_ += ".journal";
  journal_ = open_locked(journal_file_);
  part_.reset(open_to_write(part_file_));
  resume();
}

std::span<PackedFile> PackWriter::chunk_files(std::int64_t chunk) {
  const std::int64_t first = chunk * header_.chunk_images, last = std::min(first + header_.chunk_images, header_.count);
  return std::span(files_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
}

/// Reads the journal as far as it makes sense and belongs to the files as they are now.
void PackWriter::resume() {
  PackHeader found;
  const bool same =
      read_at(journal_.get(), journal_file_, std::as_writable_bytes(std::span(&found, 1)), 0) == sizeof found &&
      std::memcmp(&found, &header_, sizeof found) == 0 && size_of(part_.get(), part_file_) == header_.file_bytes;
  if (!same) return start_over();
  std::int64_t at = sizeof found;
  std::vector<std::byte> record;
  while (done_ < header_.count) {
    record.resize(chunk_files(static_cast<std::int64_t>(sums_.size())).size_bytes() + 16);
    if (read_at(journal_.get(), journal_file_, record, at) < record.size() || !accept_record(record)) break;
    at += static_cast<std::int64_t>(record.size());
  }
  set_size(journal_.get(), journal_file_, at);
  if (!sums_.empty() && !last_chunk_fits()) start_over();
}

bool PackWriter::accept_record(std::span<const std::byte> record) {
  const std::span<PackedFile> now = chunk_files(static_cast<std::int64_t>(sums_.size()));
  std::uint64_t sum = 0, check = 0;
  std::vector<PackedFile> packed(now.size());
  std::memcpy(&sum, record.data(), 8);
  std::memcpy(packed.data(), record.data() + 8, now.size_bytes());
  std::memcpy(&check, record.data() + record.size() - 8, 8);
  if (check != xxh3(record.first(record.size() - 8))) return false;
  const bool same = std::equal(now.begin(), now.end(), packed.begin(), [](const PackedFile& a, const PackedFile& b) {
    return a.size == b.size && a.modified == b.modified;
  });
  if (!same) return false;
  std::copy(packed.begin(), packed.end(), now.begin());
  sums_.push_back(sum);
  done_ += static_cast<std::int64_t>(now.size());
  return true;
}

/// Pixels are synced before their record is written, so the last one stands for all.
bool PackWriter::last_chunk_fits() {
  const auto chunk = static_cast<std::int64_t>(sums_.size()) - 1;
  std::vector<std::byte> pixels(chunk_files(chunk).size() * static_cast<std::size_t>(layout_.image_bytes));
  const std::int64_t offset = layout_.pixels_at + chunk * header_.chunk_images * layout_.image_bytes;
  return read_at(part_.get(), part_file_, pixels, offset) == pixels.size() && xxh3(pixels) == sums_.back();
}

void PackWriter::start_over() {
  sums_.clear();
  done_ = 0;
  set_size(journal_.get(), journal_file_, 0);
  set_size(part_.get(), part_file_, 0);
  // All the room at once: a full disk is told now, not after an hour. Some file systems cannot; there the size alone is
  // set.
  if (::fallocate(part_.get(), 0, 0, header_.file_bytes) != 0) {
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR) {
      const int error = errno;
      set_size(part_.get(), part_file_, 0);
      fail_io(part_file_, fmt::format("has no room for {} bytes", header_.file_bytes), error);
    }
    set_size(part_.get(), part_file_, header_.file_bytes);
  }
  write_at(journal_.get(), journal_file_, std::as_bytes(std::span(&header_, 1)), 0);
  sync(part_.get(), part_file_);
  sync(journal_.get(), journal_file_);
}

void PackWriter::add(std::span<const std::uint8_t> pixels, std::span<const Hash128> contents) {
  const std::span<PackedFile> files = chunk_files(static_cast<std::int64_t>(sums_.size()));
  NEARFAR_ASSERT(contents.size() == files.size() &&
                 pixels.size() == files.size() * static_cast<std::size_t>(layout_.image_bytes));
  for (std::size_t i = 0; i < files.size(); ++i) files[i].content = contents[i];
  const std::span<const std::byte> bytes = std::as_bytes(pixels);
  write_at(part_.get(), part_file_, bytes, layout_.pixels_at + done_ * layout_.image_bytes);
  sync(part_.get(), part_file_);
  const std::uint64_t sum = xxh3(bytes);
  write_at(journal_.get(), journal_file_, record_of(sum, files), size_of(journal_.get(), journal_file_));
  sync(journal_.get(), journal_file_);
  sums_.push_back(sum);
  done_ += static_cast<std::int64_t>(files.size());
}

void PackWriter::finish() {
  NEARFAR_ASSERT(done_ == header_.count);
  header_.checksum = pack_checksum(header_, files_, sums_);
  write_at(part_.get(), part_file_, std::as_bytes(std::span(&header_, 1)), 0);
  write_at(part_.get(), part_file_, std::as_bytes(std::span(files_)), sizeof header_);
  write_at(part_.get(), part_file_, std::as_bytes(std::span(sums_)), layout_.sums_at);
  sync(part_.get(), part_file_);
  if (::rename(part_file_.c_str(), file_.c_str()) != 0) fail_io(file_, "renaming failed", errno);
  sync_folder(file_.parent_path());
  ::unlink(journal_file_.c_str());
}

void PackWriter::abandon() {
  ::unlink(part_file_.c_str());
  ::unlink(journal_file_.c_str());
}

}  // namespace nearfar
