#include "report/published.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "report/csv_table.h"
#include "report/order.h"
#include "report/published_map.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

const std::vector<std::string> kPublishedColumns = {
    "training", "postprocessor", "architecture", "benchmark", "protocol", "group", "dataset", "metric", "mean", "std"};
/// As leaderboard_csv() writes them.
const std::vector<std::string> kLeaderboardColumns = {
    "training", "postprocessor", "architecture", "benchmark", "protocol", "group",           "dataset",
    "metric",   "mean",          "std",          "seeds",     "recipe",   "training_params", "postprocessor_params",
    "flags"};

struct Doubt {
  std::string source, training, postprocessor, benchmark, group, reason;  ///< all but the reason: "" = any
};

std::vector<Doubt> read_doubts(const fs::path& file) {
  const std::vector<std::string> header = {"source", "training", "postprocessor", "benchmark", "group", "reason"};
  std::vector<Doubt> doubts;
  for (const CsvRow& row : read_csv(read_file(file), file.string(), {&header, 1}).rows) {
    const std::vector<std::string>& f = row.fields;
    if (f[5].empty()) throw Error(ErrorKind::data, row.where + ": a doubt without a reason");
    doubts.push_back({f[0], f[1], f[2], f[3], f[4], f[5]});
  }
  return doubts;
}

/// Percent in the file, a fraction here. nullopt for "".
std::optional<double> percent(const CsvRow& row, const std::string& text) {
  if (text.empty()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 100))
    throw Error(ErrorKind::data, fmt::format("{}: '{}' is no number from 0 to 100 (percent)", row.where, text));
  return value / 100;
}

template <class List>
void check_word(const CsvRow& row, std::string_view what, const std::string& word, const List& known) {
  std::vector<std::string> words;
  for (const auto& info : known) words.emplace_back(info.key);
  if (std::ranges::find(words, word) == words.end())
    throw Error(ErrorKind::data, fmt::format("{}: {} '{}'{}; expected {}", row.where, what, word,
                                             suggestion(word, words), join(words, ", ")));
}

/// Makes rows of the numbers of one file, one after the other.
class RowMaker {
 public:
  /// `strict`: every name must be in the map; else a name that is not there is ours.
  RowMaker(Published& published, const PublishedMap& map, std::string source, bool strict)
      : published_(published), map_(map), source_(std::move(source)), strict_(strict) {}

  void add(const CsvTable& table, const CsvRow& row, const std::vector<Doubt>& doubts) {
    const auto field = [&](std::string_view column) -> const std::string& { return row.fields[table.place(column)]; };
    for (const char* column :
         {"training", "postprocessor", "architecture", "benchmark", "protocol", "dataset", "mean"}) {
      if (field(column).empty()) throw Error(ErrorKind::data, fmt::format("{}: the {} is empty", row.where, column));
    }
    check_word(row, "group", field("group"), kGroups);
    check_word(row, "metric", field("metric"), kMetrics);
    PublishedNumber number{.group = field("group"),
                           .dataset = field("dataset"),
                           .metric = field("metric"),
                           .mean = percent(row, field("mean")).value_or(0),
                           .std = percent(row, field("std"))};
    if (number.std == 0.0) number.std.reset();
    for (const Doubt& doubt : doubts) {
      const auto fits = [](const std::string& wanted, const std::string& is) { return wanted.empty() || wanted == is; };
      if (fits(doubt.source, source_) && fits(doubt.training, field("training")) &&
          fits(doubt.postprocessor, field("postprocessor")) && fits(doubt.benchmark, field("benchmark")) &&
          fits(doubt.group, number.group))
        number.doubt = doubt.reason;
    }
    PublishedRow& target = row_of(table, row);
    if (target.number(number.group, number.dataset, number.metric) != nullptr)
      throw Error(ErrorKind::data,
                  fmt::format("{}: {} {} {} of {} {} is there already", row.where, number.group, number.dataset,
                              number.metric, field("training"), field("postprocessor")));
    target.numbers.push_back(std::move(number));
  }

 private:
  using Key = std::vector<std::string>;

  PublishedRow& row_of(const CsvTable& table, const CsvRow& row) {
    const bool has_params = table.columns == kLeaderboardColumns;
    Key key(row.fields.begin(), row.fields.begin() + 5);
    if (has_params) {
      for (const char* column : {"recipe", "training_params", "postprocessor_params", "flags"})
        key.push_back(row.fields[table.place(column)]);
    }
    const auto [place, is_new] = places_.try_emplace(key, published_.rows.size());
    if (is_new) published_.rows.push_back(make_row(row, has_params ? &key : nullptr));
    return published_.rows[place->second];
  }

  /// `leaderboard`: the row's fields with parameters (5 names, recipe, parameters, flags) of a leaderboard's file.
  PublishedRow make_row(const CsvRow& row, const Key* leaderboard) {
    const std::vector<std::string>& f = row.fields;  // the first five columns are those of both headers
    const auto line = [&](std::string_view kind, const std::string& name, const std::string& benchmark) {
      const PublishedMap::Line* found = map_.find(kind, name, benchmark, f[0]);
      if (found == nullptr && strict_)
        throw Error(ErrorKind::data,
                    fmt::format("{}: {} '{}' is not in map.csv; add a line there, with an empty key if "
                                "there is no such here",
                                row.where, kind, name));
      return found;
    };
    const auto named = [](const std::string& name, const PublishedMap::Line* found, const std::string& otherwise) {
      return PublishedName{name, found != nullptr ? found->key : otherwise};
    };
    PublishedRow made{.source = source_, .protocol = f[4]};
    const PublishedMap::Line* benchmark = line("benchmark", f[3], "");
    made.benchmark = benchmark != nullptr && !benchmark->key.empty() ? benchmark->key : f[3];
    made.architecture = named(f[2], line("architecture", f[2], made.benchmark), f[2]);
    const PublishedMap::Line* training = line("training", f[0], made.benchmark);
    made.training = named(f[0], training, f[0]);
    const PublishedMap::Line* postprocessor = line("postprocessor", f[1], made.benchmark);
    made.postprocessor = named(f[1], postprocessor, plugin_key(f[1]));
    if (leaderboard != nullptr) {
      made.training_params = std::vector{(*leaderboard)[6]};
      made.postprocessor_params = std::vector{(*leaderboard)[7]};
    } else if (strict_) {
      made.training_params = training->params;
      made.postprocessor_params = postprocessor->params;
    }
    return made;
  }

  Published& published_;
  const PublishedMap& map_;
  std::string source_;
  bool strict_;
  std::map<Key, std::size_t> places_;
};

std::vector<std::string> unmapped_names(const std::vector<PublishedRow>& rows) {
  std::set<std::string> names;
  for (const PublishedRow& row : rows) {
    for (const auto& [kind, name] :
         {std::pair("training", &row.training), std::pair("postprocessor", &row.postprocessor),
          std::pair("architecture", &row.architecture)}) {
      if (name->key.empty()) names.insert(fmt::format("{} {}", kind, name->name));
    }
  }
  return {names.begin(), names.end()};
}

void read_rows(Published& published, const fs::path& file, const PublishedMap& map, const std::string& source,
               const std::vector<std::vector<std::string>>& allowed, const std::vector<Doubt>& doubts, bool strict) {
  const CsvTable table = read_csv(read_file(file), file.string(), allowed);
  RowMaker maker(published, map, source, strict);
  for (const CsvRow& row : table.rows) maker.add(table, row, doubts);
}

std::vector<PublishedSource> read_sources(const fs::path& file) {
  const std::vector<std::string> header = {"name", "title", "reference", "licence", "date"};
  std::vector<PublishedSource> sources;
  for (const CsvRow& row : read_csv(read_file(file), file.string(), {&header, 1}).rows) {
    const std::vector<std::string>& f = row.fields;
    if (std::ranges::any_of(f, &std::string::empty)) throw Error(ErrorKind::data, row.where + ": an empty field");
    sources.push_back({f[0], f[1], f[2], f[3], f[4]});
  }
  return sources;
}

}  // namespace

bool PublishedRow::is_known() const {
  return !training.key.empty() && !postprocessor.key.empty() && !architecture.key.empty();
}

const PublishedNumber* PublishedRow::number(std::string_view group, std::string_view dataset,
                                            std::string_view metric) const {
  const auto found = std::ranges::find_if(numbers, [&](const PublishedNumber& n) {
    return n.group == group && n.dataset == dataset && n.metric == metric;
  });
  return found == numbers.end() ? nullptr : &*found;
}

const PublishedSource* Published::source(std::string_view name) const {
  const auto found = std::ranges::find(sources, name, &PublishedSource::name);
  return found == sources.end() ? nullptr : &*found;
}

Published read_published(const fs::path& folder, const std::string& only) {
  Published published;
  if (!fs::exists(folder)) return published;
  const PublishedMap map = PublishedMap::read(folder / "map.csv");
  const std::vector<Doubt> doubts = read_doubts(folder / "doubts.csv");
  std::vector<std::string> names;
  for (PublishedSource& source : read_sources(folder / "sources.csv")) {
    names.push_back(source.name);
    if (!only.empty() && source.name != only) continue;
    read_rows(published, folder / (source.name + ".csv"), map, source.name, {kPublishedColumns}, doubts, true);
    published.sources.push_back(std::move(source));
  }
  if (!only.empty() && published.sources.empty())
    throw Error(ErrorKind::config, fmt::format("no published table '{}'{}; there are: {}", only,
                                               suggestion(only, names), join(names, ", ")));
  published.unmapped = unmapped_names(published.rows);
  return published;
}

Published read_published_file(const fs::path& file, const fs::path& folder) {
  Published published;
  const std::string name = file.stem().string();
  published.sources.push_back({.name = name, .title = file.filename().string()});
  read_rows(published, file, PublishedMap::read(folder / "map.csv"), name, {kPublishedColumns}, {}, true);
  published.unmapped = unmapped_names(published.rows);
  return published;
}

Published read_results_csv(const fs::path& file, const fs::path& folder) {
  Published published;
  const std::string name = file.stem().string();
  published.sources.push_back({.name = name, .title = file.filename().string()});
  read_rows(published, file, PublishedMap::read(folder / "map.csv"), name, {kPublishedColumns, kLeaderboardColumns}, {},
            false);
  published.unmapped = unmapped_names(published.rows);
  return published;
}

std::vector<PublishedRow> published_rows(const Published& published, std::string_view benchmark,
                                         std::string_view protocol) {
  std::vector<PublishedRow> rows;
  std::ranges::copy_if(published.rows, std::back_inserter(rows),
                       [&](const PublishedRow& row) { return row.benchmark == benchmark && row.protocol == protocol; });
  return rows;
}

}  // namespace nearfar
