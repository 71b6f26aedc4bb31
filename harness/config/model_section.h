#pragma once
/// The sections [model] and [[model]] of an experiment: models that somebody else made. Pure functions.
#include "config/experiment.h"

namespace nearfar {

class Section;  // config/document.h

/// Adds to experiment.foreign; a [model] with a name alone says what is trained, which `models` holds already. Throws
/// Error(config) "file:line:column: …".
void read_models(Section& top, Experiment& experiment);

}  // namespace nearfar
