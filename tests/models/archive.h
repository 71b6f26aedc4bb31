#pragma once
/// Writes zip archives and pickles byte by byte, right ones and wrong ones: what the readers of weight files are tested
/// with.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nearfar::testing {

/// What stands in the headers of one entry; every field may be made wrong.
struct ZipPart {
  std::string name, data;
  std::uint16_t method = 0, flags = 0;
  std::uint32_t crc = 0, size = 0;  ///< of the directory; set by zip_part
  std::string local_name;           ///< "" = name
  std::int64_t offset_shift = 0;    ///< added to the true offset in the directory
  std::uint32_t local_crc = 0, local_size = 0;
  std::string descriptor;  ///< bytes behind the data
  std::string extra;       ///< of the directory
};
ZipPart zip_part(const std::string& name, const std::string& data);

/// Local headers and data in this order, the directory, the end record. `entries` overrides the number in the end
/// record.
std::string zip_archive(const std::vector<ZipPart>& parts, int entries = -1, const std::string& comment = "");

template <class T>
std::string bytes_of(T number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

/// Opcodes of protocol 2, without the memo.
namespace pickle {
std::string text(const std::string& value);
std::string integer(std::int64_t value);
std::string global(const std::string& module, const std::string& name);
std::string tuple(const std::vector<std::string>& items);
std::string tensor(const std::string& type, const std::string& key, std::int64_t elements, std::int64_t offset,
                   const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides);
/// PROTO 2, an OrderedDict with these keys and values, STOP.
std::string state_dict(const std::vector<std::pair<std::string, std::string>>& items);
std::string whole(const std::string& value);  ///< PROTO 2, value, STOP
}  // namespace pickle

/// "a/data.pkl", "a/byteorder" and the storages "a/data/KEY".
std::vector<ZipPart> torch_parts(const std::string& pickle,
                                 const std::vector<std::pair<std::string, std::string>>& storages);

}  // namespace nearfar::testing
