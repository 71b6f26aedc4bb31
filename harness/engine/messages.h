#pragma once
/// Messages to the parent: JSON lines on file descriptor 3 (docs/engine-protocol.md). One write a line, so lines never
/// mix. Without that descriptor (a person runs the engine by hand) they go to stdout.
#include <nlohmann/json.hpp>

#include <string_view>

namespace nearfar {

void send(const nlohmann::json& message);
/// Is there a parent that reads them?
bool has_parent();

/// Progress of the current cell, at most ten a second; the last one (done == total) always.
void send_progress(double done, double total, std::string_view note);

/// True once SIGTERM, SIGINT or SIGUSR2 has come: write a checkpoint and stop.
bool stop_requested();
void watch_for_stop();

}  // namespace nearfar
