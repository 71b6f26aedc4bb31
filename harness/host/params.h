#pragma once
/// Parameters of plugins on the host's side: a schema that owns its text, validation, and the canonical text form.
/// Torch-free (library nearfar::host_text), so that the parent process can plan with a description alone. Pure
/// functions, safe from any thread.
#include <nearfar/params.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// A copy of one row of a plugin's table (nearfar/params.h).
struct ParamSpec {
  std::string name = {};
  ParamType type = ParamType::number;
  ParamValue default_value = 0.0;         ///< holds the alternative of `type`
  double minimum = 0, maximum = 0;        ///< closed range; integer and number only
  std::vector<std::string> choices = {};  ///< text only (not file); empty = any
  std::string help = {};
};
using ParamSchema = std::vector<ParamSpec>;

/// "boolean", "integer", "number", "text", "file".
std::string_view param_type_name(ParamType type);

/// The complete values a plugin is created with: types and ranges checked, defaults filled in. An integer is accepted
/// for a number, and a number without fraction for an integer; names are matched exactly. Throws Error(config) that
/// begins with `where`
/// ("quickstart.toml:14: postprocessor 'knn'") and names the parameter, the value and what is allowed, with "did you
/// mean" for a name.
Params validate(const ParamSchema& schema, const ParamMap& given, std::string_view where);

/// `-p key=value` arguments read by the schema's types. Error(config) as validate(), also for a missing '=' and for a
/// key given twice.
ParamMap params_from_text(const ParamSchema& schema, std::span<const std::string> assignments, std::string_view where);

/// One value as text: true/false, 50, 0.1 (number_text), or the text itself.
std::string param_text(const ParamValue& value);

/// "k=v;k=v", sorted by name; "" for none. What params_from_text() reads back after splitting at ';' (texts with ';'
/// are refused by validate()).
std::string canonical_params(const ParamMap& values);

/// Those of `values` that differ from the schema's defaults: what a leaderboard shows.
ParamMap non_default_params(const ParamSchema& schema, const ParamMap& values);

}  // namespace nearfar
