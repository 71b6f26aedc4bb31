#pragma once
/// Parameters of a plugin as a JSON tree, for messages and identities. Pure functions, safe from any thread.
/// Torch-free.
#include <nearfar/params.h>

#include <nlohmann/json_fwd.hpp>

namespace nearfar {

/// An object with one entry a parameter; every type comes back as it was. JSON has no infinity and no NaN: those are
/// {"number": "inf"}, "-inf" or "nan".
nlohmann::json params_to_json(const ParamMap& params);
/// Throws Error(internal), naming the parameter, for anything else.
ParamMap params_from_json(const nlohmann::json& object);

/// A value as experiments are identified by it: whole numbers as integers, since a plugin's table is not known here and
/// 1 and 1.0 must be the same; infinities as text.
nlohmann::json param_identity(const ParamValue& value);

}  // namespace nearfar
