#pragma once
/// Results of others: bundles, unpacked ones, output folders and databases, opened and checked. What is read of them
/// goes by way of a database of our own, into which merge copies what it knows.
#include "base/files.h"
#include "bundle/verify.h"
#include "report/leaderboard.h"
#include "store/session.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {

struct Source {
  std::string word = {};                   ///< as the person named it
  std::unique_ptr<TempDir> unpacked = {};  ///< of an archive: gone with this
  std::filesystem::path folder = {};       ///< of a bundle; empty: a database alone
  std::filesystem::path database = {};

  bool is_bundle() const { return !folder.empty(); }
};

/// True for a bundle or a folder of results; false for a database and everything else.
bool is_source(const std::string& word);
/// Error(data) for what cannot be unpacked, Error(config) for what is none of these.
Source open_source(const std::string& word);
/// With the config's own reader. Never throws for what is wrong with the results.
Verification verify_source(const Source& source);

/// A database to read, with the copies and folders that it needs.
struct OpenedResults {
  Source source = {};
  std::unique_ptr<TempDir> copy = {};
  std::unique_ptr<Session> session = {};
};
/// A database as it is; of a bundle a copy. Error(data) where the bundle's numbers are not what its scores give.
OpenedResults open_results(const std::string& word);

/// One leaderboard of many sources. Those that do not pass are named, and what can be read of them is listed without a
/// rank.
Leaderboard leaderboard_of(const std::vector<std::string>& words, const ReportFilter& filter);

}  // namespace nearfar
