#pragma once
/// Numbers that others have published, as plain values, and what their methods are called here. They come from a folder
/// of CSV files (reports/published, whose README has the columns) and never enter a ranking. Everything but
/// read_published() is a pure function, safe from any thread.
///
/// Names stay as they were published; a map file relates them to our keys, by benchmark and training where one name
/// means several methods ("MDS" of ReweightOOD's table is our `reweightood`). A name that we have no method for has the
/// key "".
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct PublishedNumber {
  std::string group = {}, dataset = {}, metric = {};  ///< as a leaderboard's: dataset "mean" for near and far
  double mean = 0;                                    ///< fraction
  std::optional<double> std = {};  ///< fraction, population; nullopt: not given, or given as 0 (a single run)
  std::string doubt = {};          ///< a sentence: why this number is not to be trusted; "" mostly
};

/// A name as published, and ours for it.
struct PublishedName {
  std::string name = {};
  std::string key = {};  ///< "": we have no such
};

struct PublishedRow {
  std::string source = {};                    ///< PublishedSource::name
  std::string benchmark = {}, protocol = {};  ///< benchmark: our name
  PublishedName training = {}, postprocessor = {}, architecture = {};
  /// Canonical parameters of ours, each of which is the published method: the first that has results counts. ""
  /// stands for the defaults. nullopt: any, as a file without such a column does not tell.
  std::optional<std::vector<std::string>> training_params = {}, postprocessor_params = {};
  std::vector<PublishedNumber> numbers = {};  ///< in the order of the file

  /// There is such a method here: every name has a key.
  bool is_known() const;
  /// nullptr if the row has no such number.
  const PublishedNumber* number(std::string_view group, std::string_view dataset, std::string_view metric) const;
};

struct PublishedSource {
  std::string name = {};  ///< the file's stem
  std::string title = {}, reference = {}, licence = {};
  std::string date = {};  ///< of the state that was copied: "2025-07-19"
};

struct Published {
  std::vector<PublishedSource> sources = {};
  std::vector<PublishedRow> rows = {};     ///< by source, in the order of the files
  std::vector<std::string> unmapped = {};  ///< "postprocessor NAC": names without a key of ours; sorted

  /// nullptr if there is none of this name.
  const PublishedSource* source(std::string_view name) const;
};

/// Of a folder with sources.csv, map.csv, doubts.csv and a NAME.csv for each source; of no folder, nothing. `only`: the
/// name of one source, or "" for all.
/// Error(data) at FILE:LINE for anything that does not belong there: other columns, an empty or unknown word, a number
/// that is none or beyond 0 to 100, a number twice, a name that is not in the map, or there for two methods.
/// Error(config): no source `only`.
Published read_published(const std::filesystem::path& folder, const std::string& only = "");

/// A file like a source's, beside none: names by the map of `folder`. Errors as above.
Published read_published_file(const std::filesystem::path& file, const std::filesystem::path& folder);

/// A file of somebody's own, in the columns of a published file or of `report leaderboard --csv`. Names that are not in
/// the map are keys of ours as they stand. Errors as above.
Published read_results_csv(const std::filesystem::path& file, const std::filesystem::path& folder);

/// Of a board: in the order of `published`.
std::vector<PublishedRow> published_rows(const Published& published, std::string_view benchmark,
                                         std::string_view protocol);

}  // namespace nearfar
