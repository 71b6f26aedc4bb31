#pragma once
/// Features of a model, from the pass to the cache: all of it for those that need all of it.
#include "features/cache.h"
#include "features/columns.h"
#include "features/manifest.h"
#include "features/set_pass.h"
