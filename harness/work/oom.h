#pragma once
/// What the kernel tells of processes that it ended for want of memory. Reads /proc and the cgroup file systems; safe
/// from any thread.
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace nearfar {

/// How many processes of our memory cgroup the kernel has killed for want of memory, by the `oom_kill` line of
/// memory.events (cgroup 2) or memory.oom_control (cgroup 1); without such a file the machine's count of /proc/vmstat;
/// 0 where neither can be read. It only ever grows.
std::int64_t oom_kill_count();

/// The same of texts: of /proc/self/cgroup, with the cgroup file systems beneath `root`. For tests.
std::int64_t oom_kill_count(std::string_view cgroups, const std::filesystem::path& root,
                            const std::filesystem::path& vmstat);

/// Memory that this process and its children can have: the machine's, or what our cgroup may use where that is less.
/// Bytes; 0 = not known.
std::int64_t machine_memory();

}  // namespace nearfar
