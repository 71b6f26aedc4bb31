#include "base/npy.h"

#include "base/error.h"
#include "base/npy_layout.h"
#include "base/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <utility>

namespace nearfar {
namespace {
constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kAlignment = 64;

struct TypeRow {
  NpyType type;
  std::string_view descr;
  std::string_view name;
  std::size_t size;
};
constexpr std::array<TypeRow, 11> kTypes{{{NpyType::boolean, "|b1", "bool", 1},
                                          {NpyType::int8, "|i1", "int8", 1},
                                          {NpyType::int16, "<i2", "int16", 2},
                                          {NpyType::int32, "<i4", "int32", 4},
                                          {NpyType::int64, "<i8", "int64", 8},
                                          {NpyType::uint8, "|u1", "uint8", 1},
                                          {NpyType::uint16, "<u2", "uint16", 2},
                                          {NpyType::uint32, "<u4", "uint32", 4},
                                          {NpyType::uint64, "<u8", "uint64", 8},
                                          {NpyType::float32, "<f4", "float32", 4},
                                          {NpyType::float64, "<f8", "float64", 8}}};

const TypeRow& row(NpyType type) { return kTypes[static_cast<std::size_t>(type)]; }

constexpr std::string_view kGetAgain = "copy the file again or save it again",
                           kSaveAgain = "save it again with np.save(file, array)",
                           kSaveNumbers = "save it as numbers: np.save(file, array.astype('float32'))";

[[noreturn]] void refuse(const std::filesystem::path& file, std::string_view why, std::string_view fix = kSaveAgain) {
  throw Error(ErrorKind::data, fmt::format("{}: {}; {}", file.string(), why, fix));
}

/// Reads the header's Python literal {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } and nothing more
/// general.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::filesystem::path& file) : text_(text), file_(file) {}

  void parse() {
    expect('{');
    while (!take('}')) {
      const std::string_view key = quoted();
      expect(':');
      value(key);
      take(',');
    }
    blanks();
    if (!text_.empty() || !descr || !fortran || !shape) refuse(file_, "has a malformed header");
  }

  std::optional<std::string_view> descr;
  std::optional<bool> fortran;
  std::optional<std::vector<std::int64_t>> shape;

 private:
  void value(std::string_view key) {
    if (key == "descr") {
      blanks();
      if (!text_.starts_with('\'') && !text_.starts_with('"'))
        refuse(file_, "holds a structured array", "save one of its fields: np.save(file, array['NAME'])");
      descr = quoted();
    } else if (key == "fortran_order") {
      fortran = boolean();
    } else if (key == "shape") {
      shape = tuple();
    } else {
      refuse(file_, fmt::format("has the unknown header key '{}'", key));
    }
  }
  void blanks() { text_ = trim(text_); }
  bool take(char c) {
    blanks();
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) refuse(file_, "has a malformed header");
  }
  std::string_view quoted() {
    blanks();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) refuse(file_, "has a malformed header");
    const auto end = text_.find(text_[0], 1);
    if (end == std::string_view::npos) refuse(file_, "has a malformed header");
    const std::string_view inside = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return inside;
  }
  bool boolean() {
    blanks();
    for (const auto& [word, result] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (text_.starts_with(word)) {
        text_.remove_prefix(word.size());
        return result;
      }
    }
    refuse(file_, "has a malformed header");
  }
  std::vector<std::int64_t> tuple() {
    expect('(');
    std::vector<std::int64_t> numbers;
    while (!take(')')) {
      blanks();
      std::int64_t number = 0;
      const auto [end, code] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
      if (code != std::errc{} || number < 0 || numbers.size() >= 32) refuse(file_, "has a malformed shape");
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      numbers.push_back(number);
      take(',');
    }
    return numbers;
  }

  std::string_view text_;
  const std::filesystem::path& file_;
};

NpyLayout layout_of(std::string_view descr, bool fortran, const std::filesystem::path& file) {
  const std::string name(descr.substr(0, 40));
  if (descr.empty()) refuse(file, "has an empty dtype");
  const char order = descr.front();
  const std::string_view what =
      std::string_view("<>|=").find(order) == std::string_view::npos ? descr : descr.substr(1);
  NpyLayout layout{.swapped = order == '>', .fortran = fortran};
  if (what == "f2") {
    layout.half = true;
    layout.item = 2;
    return layout;
  }
  for (const TypeRow& candidate : kTypes) {
    if (what != candidate.descr.substr(1)) continue;
    layout.type = candidate.type;
    layout.item = candidate.size;
    layout.swapped = layout.swapped && layout.item > 1;
    return layout;
  }
  if (what == "O") refuse(file, "has the dtype '|O' (Python objects)", kSaveNumbers);
  if (what == "V2")
    refuse(file, fmt::format("has the dtype '{}' (raw bytes; bfloat16 is saved like that)", name), kSaveNumbers);
  if (what.starts_with('c'))
    refuse(file, fmt::format("has the dtype '{}' (complex numbers)", name),
           "save its real part: np.save(file, array.real)");
  refuse(file, fmt::format("has the dtype '{}'", name), kSaveNumbers);
}

/// Checked product; refuses what does not fit.
std::int64_t element_count(const std::vector<std::int64_t>& shape, std::size_t item,
                           const std::filesystem::path& file) {
  std::int64_t count = 1;
  for (const std::int64_t axis : shape) {
    if (axis != 0 && count > std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(item) / axis)
      refuse(file, "has a shape that is too large");
    count *= axis;
  }
  return count;
}

/// Header length from the two or four bytes after the version, and where the header starts.
std::pair<std::size_t, std::size_t> header_extent(std::string_view all, const std::filesystem::path& file) {
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(all[i])); };
  if (all.starts_with("PK\x03\x04")) {
    refuse(file, "is a zip archive, perhaps an .npz, not a .npy file (no NUMPY magic)",
           "save its array alone: np.save(file, np.load('ARCHIVE.npz')['NAME'])");
  }
  if (all.size() < 12 || all.substr(0, 6) != kMagic) refuse(file, "is not a .npy file (no NUMPY magic)");
  const std::size_t major = byte(6);
  if (major < 1 || major > 3) refuse(file, fmt::format("has the unknown format version {}", major));
  const std::size_t start = major == 1 ? 10 : 12;
  const std::size_t length =
      major == 1 ? byte(8) | byte(9) << 8U : byte(8) | byte(9) << 8U | byte(10) << 16U | byte(11) << 24U;
  if (length > all.size() - start)
    refuse(file, fmt::format("is truncated: the header needs {} bytes, the file has {}", start + length, all.size()),
           kGetAgain);
  return {start, length};
}
}  // namespace

std::size_t npy_item_size(NpyType type) { return row(type).size; }
std::string npy_type_name(NpyType type) { return std::string(row(type).name); }

NpyArray::NpyArray(const std::filesystem::path& file) : map_(file), file_(file) {
  const std::string_view all(reinterpret_cast<const char*>(map_.bytes().data()), map_.bytes().size());
  const auto [start, length] = header_extent(all, file);
  HeaderParser header(all.substr(start, length), file);
  header.parse();
  const NpyLayout layout = layout_of(*header.descr, *header.fortran, file);
  type_ = layout.half ? NpyType::float32 : layout.type;
  shape_ = *header.shape;
  size_ = element_count(shape_, npy_item_size(type_), file);
  const std::size_t wanted = static_cast<std::size_t>(size_) * layout.item, have = all.size() - start - length;
  if (have != wanted) {
    refuse(file, fmt::format("holds {} bytes of data, its shape needs {}", have, wanted),
           have < wanted ? kGetAgain : kSaveAgain);
  }
  data_ = map_.bytes().subspan(start + length);
  if (is_native(layout, shape_, data_)) return;
  try {
    storage_ = to_native(layout, shape_, data_);
  } catch (const std::bad_alloc&) {
    refuse(file, fmt::format("holds {} bytes that must be put in another order, and there is no memory for it", have),
           "save it as it is read: np.save(file, np.ascontiguousarray(array, '<f4'))");
  }
  data_ = storage_;
}

void NpyArray::require(NpyType type, std::size_t dimensions) const {
  if (type_ == type && (shape_.size() == dimensions || (dimensions == 1 && is_column()))) return;
  throw Error(ErrorKind::data, fmt::format("{}: is {} with {} axes, expected {} with {}", file_.string(),
                                           npy_type_name(type_), shape_.size(), npy_type_name(type), dimensions));
}

namespace {
/// Magic, version 1.0, length and header, padded so that data begin at a multiple of kAlignment and the whole has at
/// least `least` bytes.
std::string header_of(NpyType type, const std::vector<std::int64_t>& axes, std::size_t least = 0) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", row(type).descr,
                                   fmt::join(axes, ", "), axes.size() == 1 ? "," : "");
  const std::size_t bare = std::max(10 + header.size() + 1, least);
  header.append((bare + kAlignment - 1) / kAlignment * kAlignment - 10 - header.size() - 1, ' ');
  header += '\n';
  std::string content(kMagic);
  content += {'\x01', '\x00', static_cast<char>(header.size() & 0xFFU), static_cast<char>(header.size() >> 8U)};
  return content + header;
}
constexpr std::size_t kStreamHeader = 128;  // room for any number of rows
}  // namespace

void write_npy(const std::filesystem::path& file, NpyType type, std::span<const std::int64_t> shape,
               std::span<const std::byte> data) {
  const std::vector<std::int64_t> axes(shape.begin(), shape.end());
  NEARFAR_ASSERT(static_cast<std::size_t>(element_count(axes, row(type).size, file)) * row(type).size == data.size());
  std::string content = header_of(type, axes);
  content.append(reinterpret_cast<const char*>(data.data()), data.size());
  write_file_atomic(file, content);
}

NpyWriter::NpyWriter(const std::filesystem::path& file, NpyType type, std::vector<std::int64_t> row_shape)
    : file_(file), type_(type), row_shape_(std::move(row_shape)) {
  row_bytes_ = static_cast<std::size_t>(element_count(row_shape_, row(type).size, file)) * row(type).size;
  NEARFAR_ASSERT(row_bytes_ > 0);
  descriptor_.reset(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!descriptor_)
    throw Error(ErrorKind::data, fmt::format("{}: cannot be written: {}", file.string(), std::strerror(errno)));
  const std::string blank(kStreamHeader, ' ');
  write(std::as_bytes(std::span(blank)));
}

void NpyWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_.get(), bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0)
      throw Error(ErrorKind::data, fmt::format("{}: cannot be written: {}", file_.string(), std::strerror(errno)));
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

void NpyWriter::append(std::span<const std::byte> rows) {
  NEARFAR_ASSERT(rows.size() % row_bytes_ == 0);
  write(rows);
  written_ += rows.size();
}

std::int64_t NpyWriter::finish() {
  std::vector<std::int64_t> axes{static_cast<std::int64_t>(written_ / row_bytes_)};
  axes.insert(axes.end(), row_shape_.begin(), row_shape_.end());
  const std::string header = header_of(type_, axes, kStreamHeader);
  NEARFAR_ASSERT(header.size() == kStreamHeader);
  if (::lseek(descriptor_.get(), 0, SEEK_SET) != 0)
    throw Error(ErrorKind::data, fmt::format("{}: cannot be written: {}", file_.string(), std::strerror(errno)));
  write(std::as_bytes(std::span(header)));
  if (!sync_file(descriptor_.get()))
    throw Error(ErrorKind::data, fmt::format("{}: cannot be written: {}", file_.string(), std::strerror(errno)));
  descriptor_.reset();
  return axes.front();
}

}  // namespace nearfar
