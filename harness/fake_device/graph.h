#pragma once
/// The recording side of a graph: operators say here what a replay has to do again.
#include <functional>

namespace nearfar::fake {

bool is_capturing();
/// Does nothing unless a graph is captured. `work` runs with every replay, and keeps alive what it needs.
void record(std::function<void()> work);
/// Something that a capture may not contain has happened: its end() will be an error.
void spoil_capture();

}  // namespace nearfar::fake
