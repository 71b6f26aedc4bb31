#pragma once
/// Which of several plugins of one kind and name is taken. Pure functions of descriptions in search order: folder by
/// folder, those of one folder next to each other. Stated for users in docs/plugin-versions.md.
///
/// - The first folder that has a version that is accepted; of that folder the highest (base/version.h), of equal ones
///   the first. Without a requirement every version is accepted.
/// - So a later folder is looked at only where a requirement rules out all that the earlier ones have.
#include "base/version.h"
#include "host/description.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

using PluginList = std::vector<const PluginDescription*>;

/// Index into `plugins`; nullopt: there is none of this kind and name, or no version that is accepted.
std::optional<std::size_t> choose_plugin(const PluginList& plugins, std::string_view kind, const WantedPlugin& wanted);

/// "no version of postprocessor 'knn' satisfies '@>=3'; there are: 1.0.0 (/a/knn.so), 1.2.0 (/b/knn.so)". "" if there
/// is none of this kind and name, whatever its version.
std::string no_such_version(const PluginList& plugins, std::string_view kind, const WantedPlugin& wanted);

/// Why plugins[index] is not what its bare name means: by which other it is hidden, and how it is reached all the same.
/// "" where it is the one.
std::string hidden_by(const PluginList& plugins, std::size_t index);

}  // namespace nearfar
