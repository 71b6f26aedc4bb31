#pragma once
/// Which process owns a running cell, and whether it still lives. Safe from any thread.
#include <string>
#include <string_view>

namespace nearfar {

/// This machine's name; "localhost" where it has none.
std::string host_name();

/// "host:machine:boot-id:pid-namespace:pid:start" of this process. `machine` is a short hash of the machine id; the
/// start time tells a process from a later one with the same number. What the system does not tell is empty.
std::string owner_of_this_process();

enum class OwnerState {
  alive,    ///< seen to live, here and now
  dead,     ///< seen to be gone
  unknown,  ///< another machine, another container, or a text that is no owner: nobody here can tell
};
/// Dead is only what can be seen to be: on the same boot and in the same pid namespace a process that is gone, a
/// zombie, or a later one with its number; or this very machine before it was last started. Owners of older databases,
/// "host:pid" and "host:pid:start", are looked for by host name alone.
OwnerState owner_state(std::string_view owner);

}  // namespace nearfar
