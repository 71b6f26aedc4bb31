#pragma once
/// From what an engine says to what the database keeps. Reads score files; else pure.
#include "store/types.h"
#include "wire/jobs.h"
#include "wire/messages.h"

#include <filesystem>
#include <vector>

namespace nearfar {

Outcome outcome_of(const wire::Trained& message);
Outcome outcome_of(const wire::Passed& message);
Outcome outcome_of(const wire::Measured& message);
/// With the metrics of every OOD set, computed from the score files beneath `out`. Error(data) as metric_rows().
Outcome outcome_of(const wire::Scored& message, const std::filesystem::path& out,
                   const std::vector<wire::Protocol>& protocols);

/// "one forward pass of 400 images in 3 sets; in it 100 images backward": for logs and events.
std::string passes_text(const std::vector<PassRow>& passes);

}  // namespace nearfar
