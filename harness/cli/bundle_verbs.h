#pragma once
/// Verbs that give results away and take those of others; as verbs.h says.
#include "cli/verbs.h"

#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

struct BundleArguments {
  DatabaseArguments database = {};
  std::filesystem::path output = {};
  std::string experiment = {}, expression = {};  ///< "" = all
  std::string title = {}, author = {}, url = {};
  bool checkpoints = false;
};
/// Finished evaluations with their evidence as one file.
int bundle_verb(const BundleArguments& arguments);

/// 0; 6: something in it is not what it says. `bundle`: or a folder or database.
int verify_verb(const std::string& bundle, bool json);

/// report_verb() of bundles, folders and databases instead of one's own database.
int report_sources_verb(const std::vector<std::string>& from, const ReportArguments& arguments);

}  // namespace nearfar
