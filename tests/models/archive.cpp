#include "models/archive.h"

#include <zlib.h>

namespace nearfar::testing {

ZipPart zip_part(const std::string& name, const std::string& data) {
  ZipPart part;
  part.name = name;
  part.data = data;
  part.crc =
      static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size())));
  part.size = static_cast<std::uint32_t>(data.size());
  part.local_crc = part.crc;
  part.local_size = part.size;
  return part;
}

std::string zip_archive(const std::vector<ZipPart>& parts, int entries, const std::string& comment) {
  const auto u16 = [](std::size_t value) { return bytes_of(static_cast<std::uint16_t>(value)); };
  const auto u32 = [](std::int64_t value) { return bytes_of(static_cast<std::uint32_t>(value)); };
  std::string file, directory;
  for (const ZipPart& part : parts) {
    const auto offset = static_cast<std::int64_t>(file.size());
    const std::string& local_name = part.local_name.empty() ? part.name : part.local_name;
    file += u32(0x04034b50) + u16(0) + u16(part.flags) + u16(part.method) + u16(0) + u16(0);
    file += u32(part.local_crc) + u32(part.local_size) + u32(part.local_size) + u16(local_name.size()) + u16(0) +
            local_name;
    file += part.data + part.descriptor;
    directory += u32(0x02014b50) + u16(0) + u16(0) + u16(part.flags) + u16(part.method) + u16(0) + u16(0);
    directory +=
        u32(part.crc) + u32(part.size) + u32(part.size) + u16(part.name.size()) + u16(part.extra.size()) + u16(0);
    directory += u16(0) + u16(0) + u32(0) + u32(offset + part.offset_shift) + part.name + part.extra;
  }
  const std::size_t count = entries < 0 ? parts.size() : static_cast<std::size_t>(entries);
  const auto at = static_cast<std::int64_t>(file.size()), size = static_cast<std::int64_t>(directory.size());
  return file + directory + u32(0x06054b50) + u16(0) + u16(0) + u16(count) + u16(count) + u32(size) + u32(at) +
         u16(comment.size()) + comment;
}

namespace pickle {

std::string text(const std::string& value) { return "X" + bytes_of(static_cast<std::uint32_t>(value.size())) + value; }
std::string integer(std::int64_t value) { return "\x8a\x08" + bytes_of(value); }
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }

std::string tuple(const std::vector<std::string>& items) {
  std::string all = "(";
  for (const std::string& item : items) all += item;
  return all + "t";
}

std::string tensor(const std::string& type, const std::string& key, std::int64_t elements, std::int64_t offset,
                   const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides) {
  const auto integers = [](const std::vector<std::int64_t>& numbers) {
    std::vector<std::string> items;
    for (const std::int64_t number : numbers) items.push_back(integer(number));
    return tuple(items);
  };
  const std::string storage =
      tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)}) + "Q";
  const std::string hooks = global("collections", "OrderedDict") + ")R";
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({storage, integer(offset), integers(sizes), integers(strides), "\x89", hooks}) + "R";
}

std::string whole(const std::string& value) { return "\x80\x02" + value + "."; }

std::string state_dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string all = global("collections", "OrderedDict") + ")R(";
  for (const auto& [key, value] : items) all += text(key) + value;
  return whole(all + "u");
}

}  // namespace pickle

std::vector<ZipPart> torch_parts(const std::string& pickle,
                                 const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<ZipPart> parts{zip_part("a/data.pkl", pickle), zip_part("a/byteorder", "little")};
  for (const auto& [key, data] : storages) parts.push_back(zip_part("a/data/" + key, data));
  parts.push_back(zip_part("a/version", "3\n"));
  return parts;
}

}  // namespace nearfar::testing
