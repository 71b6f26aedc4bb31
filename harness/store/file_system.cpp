#include "store/file_system.h"

#include "base/error.h"
#include "store/faults.h"

#include <fmt/core.h>
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

struct NetworkType {
  std::uint64_t type;
  std::string_view name;
};
// From linux/magic.h and the sources of those that are not in the kernel.
constexpr std::array kNetworkTypes = {
    NetworkType{0x6969, "NFS"},         NetworkType{0x517B, "SMB"},
    NetworkType{0xFF534D42, "CIFS"},    NetworkType{0xFE534D42, "SMB2"},
    NetworkType{0x65735546, "FUSE"},    NetworkType{0x0BD00BD0, "Lustre"},
    NetworkType{0x01021997, "9p"},      NetworkType{0x47504653, "GPFS"},
    NetworkType{0x19830326, "BeeGFS"},  NetworkType{0x00C36400, "Ceph"},
    NetworkType{0x5346414F, "OpenAFS"}, NetworkType{0x6B414653, "AFS"},
    NetworkType{0x73757245, "Coda"},    NetworkType{0x7461636F, "OCFS2"},
    NetworkType{0x01161970, "GFS2"},    NetworkType{0x20030528, "OrangeFS"},
    NetworkType{0xAAD7AAEA, "PanFS"},   NetworkType{0x786F4256, "VirtualBox folder"},
};

fs::path existing_folder(const fs::path& path) {
  std::error_code error;
  fs::path folder = fs::absolute(path, error);
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

}  // namespace

std::string network_name_of(std::uint64_t type) {
  const auto found = std::ranges::find(kNetworkTypes, type, &NetworkType::type);
  return found == kNetworkTypes.end() ? "" : std::string(found->name);
}

FileSystem file_system_of(const fs::path& path) {
  FileSystem result{.folder = existing_folder(path)};
  struct statfs status {};
  if (::statfs(result.folder.c_str(), &status) != 0) {
    throw Error(ErrorKind::store, fmt::format("{}: its file system cannot be examined: {}; choose another folder with "
                                              "--out or --db",
                                              result.folder.string(), std::strerror(errno)));
  }
  // f_type is signed and of the machine's width: CIFS and SMB2 would come out negative.
  result.type = static_cast<std::uint32_t>(status.f_type);
  if (const auto fake = faults().file_system_type()) result.type = *fake;
  result.network_name = network_name_of(result.type);
  result.free_bytes = static_cast<std::uint64_t>(status.f_bavail) * static_cast<std::uint64_t>(status.f_bsize);
  return result;
}

bool several_hosts_use(const FileSystem& system) {
  const char* one = std::getenv("NEARFAR_ONE_HOST");
  return !system.network_name.empty() && (one == nullptr || std::string_view(one) != "1");
}

void refuse_network_file_system(const fs::path& database) {
  const FileSystem system = file_system_of(database);
  if (!several_hosts_use(system)) return;
  throw Error(ErrorKind::store,
              fmt::format("{}: lies on a network file system ({}, type {:#x}), where a database that several processes "
                          "write to gets damaged; put it on a local disk with --db FILE. Several hosts: one database "
                          "for each, then `nearfar merge`. If this host alone uses that folder: NEARFAR_ONE_HOST=1",
                          database.string(), system.network_name, system.type));
}

}  // namespace nearfar
