#pragma once
/// Which process owns a running cell, and whether it still lives. Safe from any thread.
#include <string>
#include <string_view>

namespace nearfar {

/// True only if `owner` ("host:pid" or "host:pid:start") names this host and a process that is gone, a zombie, or a
/// later one with the same number. Owners on other hosts, and texts that are no owner, are never called dead: nobody
/// here can tell.
bool is_dead_local_owner(std::string_view owner);

}  // namespace nearfar
