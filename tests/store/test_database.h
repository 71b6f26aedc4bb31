#pragma once
/// A new database for a test: a file of SQLite, or on the server that NEARFAR_TEST_POSTGRES names (tests/support/
/// postgres.py sets it), so that one suite of tests judges both.
#include "base/files.h"

#include <filesystem>
#include <string>

namespace nearfar::testing {

/// Do the tests of this process run on a server?
bool on_server();

class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  /// For Session::open.
  const std::filesystem::path& address() const { return address_; }
  /// A folder that goes with it; the file of SQLite lies in it.
  const std::filesystem::path& folder() const { return folder_.path(); }
  /// Runs statements behind the store's back; the first column of the first row, "" without one.
  std::string execute(const std::string& sql) const;

 private:
  TempDir folder_;
  std::filesystem::path address_;
  std::string name_;  // on the server
};

}  // namespace nearfar::testing
