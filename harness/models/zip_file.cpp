#include "models/zip_file.h"

#include "base/error.h"
#include "models/byte_reader.h"
#include "models/mismatch.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

namespace nearfar {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kDescriptor = 0x08074b50;
constexpr std::uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20;
constexpr std::uint16_t kFull16 = 0xffff;
constexpr std::uint32_t kFull32 = 0xffffffff;  // "see the zip64 field"
constexpr std::uint16_t kZip64Field = 1;
constexpr std::uint16_t kEncrypted = 1, kHasDescriptor = 1u << 3, kUtf8 = 1u << 11;

#pragma pack(push, 1)
struct LocalHeader {
  std::uint32_t signature;
  std::uint16_t version, flags, method, time, date;
  std::uint32_t crc, packed, size;
  std::uint16_t name, extra;
};
struct CentralHeader {
  std::uint32_t signature;
  std::uint16_t made_by, version, flags, method, time, date;
  std::uint32_t crc, packed, size;
  std::uint16_t name, extra, comment, disk, internal;
  std::uint32_t external, offset;
};
struct EndRecord {
  std::uint32_t signature;
  std::uint16_t disk, directory_disk, entries_here, entries;
  std::uint32_t directory_size, directory_offset;
  std::uint16_t comment;
};
struct EndRecord64 {
  std::uint32_t signature;
  std::uint64_t record_size;
  std::uint16_t made_by, version;
  std::uint32_t disk, directory_disk;
  std::uint64_t entries_here, entries, directory_size, directory_offset;
};
struct Locator64 {
  std::uint32_t signature, disk;
  std::uint64_t offset;
  std::uint32_t disks;
};
#pragma pack(pop)
static_assert(sizeof(LocalHeader) == kLocalSize && sizeof(CentralHeader) == kCentralSize &&
              sizeof(EndRecord) == kEndSize);
static_assert(sizeof(EndRecord64) == kEnd64Size && sizeof(Locator64) == kLocatorSize);

/// What the directory says of one entry, and the bytes of the file it occupies.
struct Entry {
  std::string_view name;
  std::uint16_t flags = 0;
  std::uint32_t crc = 0;
  std::uint64_t size = 0, offset = 0;
  std::uint64_t end = 0;  ///< behind the data, and the descriptor if there is one
  std::span<const std::byte> data;
};

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), file_(name) {}

  std::vector<Entry> parse() {
    find_directory();
    std::vector<Entry> entries = read_directory();
    for (Entry& entry : entries) place(entry);
    check_overlaps(entries);
    for (const Entry& entry : entries) check_crc(entry);
    return entries;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, fmt::format("{}: damaged zip archive: {}", file_, what));
  }
  [[noreturn]] void fail(const Entry& entry, const std::string& what) const {
    throw Error(ErrorKind::data, fmt::format("{}: zip entry '{}': {}", file_, printable(entry.name), what));
  }

  /// The end record is the last thing in the file, but for its comment.
  void find_directory() {
    constexpr std::size_t kMaxComment = kFull16;
    if (bytes_.size() < kEndSize) fail("too short for an end-of-directory record");
    std::size_t at = bytes_.size() - kEndSize;
    const std::size_t first = at > kMaxComment ? at - kMaxComment : 0;
    std::optional<EndRecord> end;
    for (;; --at) {
      end = ByteReader(bytes_, at).number<EndRecord>();
      if (end->signature == kEnd && at + kEndSize + end->comment == bytes_.size()) break;
      if (at == first) fail("no end-of-directory record: the file is cut off, or not a zip archive");
    }
    if (end->disk != 0 || end->directory_disk != 0 || end->entries_here != end->entries)
      fail("it is one of several disks");
    entries_ = end->entries;
    size_ = end->directory_size;
    offset_ = end->directory_offset;
    limit_ = at;
    const bool full = end->entries == kFull16 || end->directory_size == kFull32 || end->directory_offset == kFull32;
    const bool has_locator =
        at >= kLocatorSize && ByteReader(bytes_, at - kLocatorSize).number<std::uint32_t>() == kLocator64;
    if (has_locator) {
      read_end64(at - kLocatorSize, *end);
    } else if (full) {
      fail("sizes need zip64, but there is no zip64 locator");
    }
    if (offset_ > limit_ || size_ != limit_ - offset_) {
      fail(fmt::format("the directory should be {} bytes at {}, the end record is at {}", size_, offset_, limit_));
    }
    if (entries_ > size_ / kCentralSize)
      fail(fmt::format("{} entries do not fit a directory of {} bytes", entries_, size_));
  }

  void read_end64(std::size_t at, const EndRecord& end) {
    const auto locator = ByteReader(bytes_, at).number<Locator64>();
    if (locator->disk != 0 || locator->disks > 1) fail("it is one of several disks");
    if (locator->offset > at || at - locator->offset < kEnd64Size) fail("the zip64 end record lies outside the file");
    const auto record = ByteReader(bytes_, locator->offset).number<EndRecord64>();
    if (record->signature != kEnd64) fail("no zip64 end record where the locator points");
    if (record->record_size != at - locator->offset - 12)
      fail("the zip64 end record has another size than its place allows");
    if (record->disk != 0 || record->directory_disk != 0 || record->entries_here != record->entries)
      fail("it is one of several disks");
    const auto agrees = [](std::uint64_t small, std::uint64_t full, std::uint64_t value) {
      return small == full || small == value;
    };
    if (!agrees(end.entries, kFull16, record->entries) ||
        !agrees(end.directory_size, kFull32, record->directory_size) ||
        !agrees(end.directory_offset, kFull32, record->directory_offset)) {
      fail("its two end records disagree");
    }
    entries_ = record->entries;
    size_ = record->directory_size;
    offset_ = record->directory_offset;
    limit_ = locator->offset;
  }

  std::vector<Entry> read_directory() const {
    ByteReader reader(bytes_.subspan(offset_, size_));
    std::vector<Entry> entries;
    std::unordered_map<std::string_view, bool> seen;
    entries.reserve(entries_);
    for (std::uint64_t i = 0; i < entries_; ++i) {
      const auto header = reader.number<CentralHeader>();
      if (!header || header->signature != kCentral) fail(fmt::format("no header of entry {} in the directory", i));
      const auto name = reader.text(header->name);
      const auto extra = name ? reader.take(header->extra) : std::nullopt;
      if (!extra || !reader.take(header->comment)) fail(fmt::format("the header of entry {} leaves the directory", i));
      Entry entry;
      entry.name = *name;
      entry.flags = header->flags;
      entry.crc = header->crc;
      check_kind(entry, header->flags, header->method);
      if (header->disk != 0) fail(entry, "it is on another disk");
      std::uint64_t packed = header->packed;
      entry.size = header->size;
      entry.offset = header->offset;
      read_zip64(entry, *extra, {{&entry.size, kFull32}, {&packed, kFull32}, {&entry.offset, kFull32}});
      if (packed != entry.size) fail(entry, fmt::format("{} bytes stored as {}", entry.size, packed));
      if (entry.name.empty() || entry.name.find('\0') != std::string_view::npos)
        fail(entry, "a name that is empty or holds a NUL");
      if (!seen.emplace(entry.name, true).second) fail(entry, "it is there twice");
      entries.push_back(entry);
    }
    if (reader.left() > 0) fail(fmt::format("{} bytes of the directory belong to no entry", reader.left()));
    return entries;
  }

  void check_kind(const Entry& entry, std::uint16_t flags, std::uint16_t method) const {
    if (flags & kEncrypted) fail(entry, "it is encrypted");
    if (method != 0)
      fail(entry, fmt::format("it is compressed (method {}); torch.save stores without compression", method));
    if (flags & ~(kHasDescriptor | kUtf8))
      fail(entry, fmt::format("flags {:#x} are not those of a stored entry", flags));
  }

  struct Wide {
    std::uint64_t* value;
    std::uint64_t full;
  };
  /// Values that say "full" come from the zip64 field, in this order.
  void read_zip64(const Entry& entry, std::span<const std::byte> extra, std::initializer_list<Wide> values) const {
    const bool needed =
        std::any_of(values.begin(), values.end(), [](const Wide& wide) { return *wide.value == wide.full; });
    if (!needed) return;
    ByteReader reader(extra);
    while (reader.left() > 0) {
      const auto id = reader.number<std::uint16_t>();
      const auto size = id ? reader.number<std::uint16_t>() : std::nullopt;
      const auto field = size ? reader.take(*size) : std::nullopt;
      if (!field) fail(entry, "a broken extra field");
      if (*id != kZip64Field) continue;
      ByteReader inner(*field);
      for (const Wide& wide : values) {
        if (*wide.value != wide.full) continue;
        const auto value = inner.number<std::uint64_t>();
        if (!value) fail(entry, "its zip64 field is too short");
        *wide.value = *value;
      }
      return;
    }
    fail(entry, "it needs zip64, but has no zip64 field");
  }

  /// The local header must say what the directory says; then the data and, where announced, the descriptor follow.
  void place(Entry& entry) const {
    if (entry.offset >= offset_)
      fail(entry, fmt::format("it begins at {}, the directory at {}", entry.offset, offset_));
    ByteReader reader(bytes_.first(offset_), entry.offset);
    const auto header = reader.number<LocalHeader>();
    if (!header || header->signature != kLocal) fail(entry, fmt::format("no local header at {}", entry.offset));
    const auto name = reader.text(header->name);
    const auto extra = name ? reader.take(header->extra) : std::nullopt;
    if (!extra) fail(entry, "its local header leaves the file");
    if (*name != entry.name) fail(entry, fmt::format("its local header has the name '{}'", printable(*name)));
    check_kind(entry, header->flags, header->method);
    if (header->flags != entry.flags) fail(entry, "its local header has other flags");
    const bool later = header->flags & kHasDescriptor;
    std::uint64_t size = header->size, packed = header->packed;
    read_zip64(entry, *extra, {{&size, kFull32}, {&packed, kFull32}});
    const auto agrees = [&](std::uint64_t local, std::uint64_t directory) {
      return local == directory || (later && local == 0);
    };
    if (!agrees(size, entry.size) || !agrees(packed, entry.size) || !agrees(header->crc, entry.crc)) {
      fail(entry, "its local header has another size or CRC than the directory");
    }
    const auto data = reader.take(entry.size);
    if (!data) fail(entry, fmt::format("its {} bytes leave the file", entry.size));
    entry.data = *data;
    if (later) check_descriptor(entry, reader);
    entry.end = reader.position();
  }

  /// Signature, CRC, and both sizes in 32 or in 64 bits.
  template <class Size>
  static bool has_descriptor(const Entry& entry, ByteReader& reader) {
    ByteReader attempt = reader;
    if (attempt.number<std::uint32_t>() != kDescriptor || attempt.number<std::uint32_t>() != entry.crc) return false;
    for (int i = 0; i < 2; ++i) {
      if (attempt.number<Size>() != static_cast<Size>(entry.size)) return false;
    }
    reader = attempt;
    return true;
  }

  void check_descriptor(const Entry& entry, ByteReader& reader) const {
    const bool wide = entry.size >= kFull32;
    if (has_descriptor<std::uint64_t>(entry, reader) || (!wide && has_descriptor<std::uint32_t>(entry, reader))) return;
    fail(entry, "no matching data descriptor behind it");
  }

  void check_overlaps(const std::vector<Entry>& entries) const {
    std::vector<const Entry*> sorted;
    for (const Entry& entry : entries) sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) { return a->offset < b->offset; });
    for (std::size_t i = 1; i < sorted.size(); ++i) {
      if (sorted[i]->offset < sorted[i - 1]->end)
        fail(*sorted[i], fmt::format("it overlaps '{}'", printable(sorted[i - 1]->name)));
    }
  }

  void check_crc(const Entry& entry) const {
    const uLong crc =
        crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(entry.data.data()), entry.data.size());
    if (crc != entry.crc)
      fail(entry, fmt::format("CRC-32 is {:08x}, the archive says {:08x}: the file is damaged", crc, entry.crc));
  }

  std::span<const std::byte> bytes_;
  const std::string& file_;
  std::uint64_t entries_ = 0, size_ = 0, offset_ = 0;  ///< of the directory
  std::uint64_t limit_ = 0;                            ///< where the end records begin
};

}  // namespace

ZipFile::ZipFile(std::span<const std::byte> bytes, std::string name) {
  for (const Entry& entry : Parser(bytes, name).parse()) {
    by_name_[entry.name] = entries_.size();
    entries_.push_back({entry.name, entry.data});
  }
}

const ZipEntry* ZipFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

bool ZipFile::looks_like(std::span<const std::byte> bytes) {
  return ByteReader(bytes).number<std::uint32_t>() == kLocal;
}

}  // namespace nearfar
