#pragma once
/// What a folder's file system means for a database in it. Its write-ahead log is an index in memory that all processes
/// share, so all of them must be on one host: on a network file system the log is lost or mixed up. Safe from any
/// thread.
#include <cstdint>
#include <filesystem>
#include <string>

namespace nearfar {

struct FileSystem {
  std::filesystem::path folder = {};  ///< what was asked about: the path, or the nearest folder above it that is there
  std::uint64_t type = 0;             ///< statfs(2)'s f_type
  std::string network_name = {};      ///< "NFS", "FUSE", …: hosts may share it; empty: a local one
  std::uint64_t free_bytes = 0;       ///< for this user
};

/// Error(store) if it cannot be examined. For tests, NEARFAR_FAULT (store/faults.h) may name another type.
FileSystem file_system_of(const std::filesystem::path& path);

/// "NFS" for 0x6969, …; empty for types that one host has for itself.
std::string network_name_of(std::uint64_t type);

/// A network one, unless NEARFAR_ONE_HOST=1 says that this host alone uses it: FUSE and 9p are also what some
/// containers see of their own disk.
bool several_hosts_use(const FileSystem& system);

/// Error(store) with advice where several hosts use the file system that `database` would lie on.
void refuse_network_file_system(const std::filesystem::path& database);

}  // namespace nearfar
