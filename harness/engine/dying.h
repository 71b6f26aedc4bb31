#pragma once
/// What a process says before it ends in a way that no catch clause sees: an exception on a thread of a plugin's own,
/// a stack that has overflown. Other crashes are told by their signal alone.
namespace nearfar {

/// From now on; for the main thread's stack. Once a process, after has_parent().
void tell_when_dying();

}  // namespace nearfar
