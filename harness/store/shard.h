#pragma once
/// Private to store/: a database that somebody else made, opened for reading by merge, extract and evidence. Nothing in
/// it is trusted.
#include "store/connect.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace nearfar {

/// What a text of a shard may be.
enum class TextRule {
  name,     ///< at most 4 KiB of UTF-8 on one line, without control characters: goes into tables and terminals
  text,     ///< at most 16 MiB of UTF-8: messages, TOML, JSON
  path,     ///< a name; relative, without "..": beneath a location
  address,  ///< a name: hosts and absolute folders
  hex,      ///< digits of a hash, at most 128; may be empty
};

class Shard {
 public:
  /// Error(store): not there, not ours, newer, damaged, or with things in its schema that are not ours.
  /// `then`: what messages say of what did not happen.
  explicit Shard(const std::filesystem::path& file, std::string then = "nothing was merged");

  const std::filesystem::path& file() const { return file_; }
  const std::filesystem::path& folder() const { return folder_; }  ///< absolute
  SQLite::Statement query(const std::string& sql) const { return {*connection_.database, sql}; }

  /// Error(store) naming file and thing unless `text` is as the rule says.
  void check(std::string_view text, TextRule rule, std::string_view what) const;
  /// Error(store): "FILE: WHY; it was not made by nearfar, or changed since; THEN".
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  void open();
  void make_newest(int version);
  void check_schema() const;
  void check_contents() const;

  std::filesystem::path file_, folder_;
  std::string then_;
  Connection connection_;
};

}  // namespace nearfar
