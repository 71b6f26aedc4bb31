#pragma once
/// Private to store/: faults that tests ask for with the environment variable NEARFAR_FAULT, in every build, so that
/// what is tested is what people run. Without it each question costs one comparison.
///
///   kill-before-write=K   this process gets SIGKILL just before the K-th of its write transactions is committed
///   kill-after-write=K    … just after it
///   file-system=TYPE      every folder has this statfs(2) type: 0x6969 is NFS
///
/// Several are separated by commas. Safe from any thread.
#include <cstdint>
#include <optional>
#include <string_view>

namespace nearfar {

class Faults {
 public:
  /// Error(config) for words that are none of the above.
  explicit Faults(std::string_view text);

  void before_write();  ///< counts
  void after_write() const;
  std::optional<std::uint64_t> file_system_type() const { return file_system_type_; }

 private:
  std::optional<std::uint64_t> kill_before_, kill_after_, file_system_type_;
  std::uint64_t writes_ = 0;
};

/// Of this process's environment, read once. Several sessions of one process count together, without a lock: tests that
/// ask for faults write from one thread.
Faults& faults();

}  // namespace nearfar
