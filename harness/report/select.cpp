#include "report/select.h"

#include "base/text.h"
#include "report/joined.h"
#include "report/row_identity.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

namespace nearfar {
namespace {

using BoardKey = std::tuple<std::string_view, std::string_view, std::string_view>;    // benchmark, protocol, data
using VersionKey = std::tuple<std::string_view, std::string_view, std::string_view>;  // numerics, plugin sources
using Seeds = std::map<std::int64_t, SelectedSeed>;
using Versions = std::map<VersionKey, Seeds>;
using PluginVersions = std::pair<std::string_view, std::string_view>;  // of loss and postprocessor; "" = not known
using BoardRows = std::map<std::pair<RowIdentity, PluginVersions>, Versions>;

VersionKey version_of(const ResultSubject& subject) {
  return {subject.numerics, subject.training_source_hash, subject.postprocessor_source_hash};
}

/// One cell measured again under another key with the same versions: its newest run counts.
void add_seed(Seeds& seeds, const SelectedSeed& result) {
  const auto [place, is_new] = seeds.try_emplace(result.subject->seed, result);
  if (!is_new && result.subject->run_uid > place->second.subject->run_uid) place->second = result;
}

std::string_view newest_run(const Seeds& seeds) {
  std::string_view newest;
  for (const auto& [seed, result] : seeds) newest = std::max<std::string_view>(newest, result.subject->run_uid);
  return newest;
}

const Seeds& newest_version(const Versions& versions) {
  return std::ranges::max_element(versions, {}, [](const auto& version) { return newest_run(version.second); })->second;
}

/// Every subject once for each protocol it has values of.
std::map<BoardKey, BoardRows> group_rows(const ResultsFrame& frame, const ReportFilter& filter) {
  const std::vector<RowIdentity> identities = row_identities(frame.subjects);
  std::map<BoardKey, BoardRows> boards;
  const std::span<const ResultValue> values(frame.values);
  for (std::size_t begin = 0, end = 0; begin < values.size(); begin = end) {
    const ResultValue& first = values[begin];
    while (end < values.size() && values[end].subject == first.subject && values[end].protocol == first.protocol) ++end;
    const ResultSubject& subject = frame.subjects.at(first.subject);
    if (filter.benchmark && subject.benchmark != *filter.benchmark) continue;
    if (filter.protocol && first.protocol != *filter.protocol) continue;
    const PluginVersions plugins{subject.training_version, subject.postprocessor_version};
    Versions& versions =
        boards[{subject.benchmark, first.protocol, subject.data_hash}][{identities[first.subject], plugins}];
    add_seed(versions[version_of(subject)], {&subject, values.subspan(begin, end - begin)});
  }
  return boards;
}

/// A row with what it is, until it has its name.
struct Candidate {
  const RowIdentity* identity = nullptr;
  SelectedRow row;
};

Candidate make_candidate(const RowIdentity& identity, const Seeds& seeds) {
  Candidate candidate{&identity, {}};
  std::set<std::string> recipes;
  for (const auto& [seed, result] : seeds) {
    candidate.row.seeds.push_back(result);
    if (!result.subject->recipe.empty()) recipes.insert(result.subject->recipe);
  }
  candidate.row.name = {identity.training,    identity.training_params, identity.architecture,
                        joined(recipes, "/"), identity.postprocessor,   identity.postprocessor_params};
  return candidate;
}

/// Names get versions where several of one plugin meet.
void tell_versions(std::vector<Candidate>& candidates) {
  std::map<std::string, std::set<std::string>> trainings, postprocessors;
  const auto first = [](const Candidate& candidate) -> const ResultSubject& {
    return *candidate.row.seeds.front().subject;
  };
  for (const Candidate& candidate : candidates) {
    trainings[candidate.row.name.training].insert(first(candidate).training_version);
    postprocessors[candidate.row.name.postprocessor].insert(first(candidate).postprocessor_version);
  }
  const auto tell = [](std::string& name, const std::string& version, const auto& versions) {
    if (versions.at(name).size() > 1 && !version.empty()) name += "@" + version;
  };
  for (Candidate& candidate : candidates) {
    tell(candidate.row.name.training, first(candidate).training_version, trainings);
    tell(candidate.row.name.postprocessor, first(candidate).postprocessor_version, postprocessors);
  }
}

/// Names of the factors in which the rows differ; "head" where no other factor tells them apart.
std::set<std::string> differing_names(const std::vector<Candidate*>& rows) {
  std::set<std::string> names;
  for (const Candidate* row : rows) {
    for (const FactorText& factor : row->identity->factors) names.insert(factor.name);
  }
  const auto same_in_all = [&](const std::string& name) {
    return std::ranges::all_of(rows, [&](const Candidate* row) {
      const std::string* here = row->identity->factor(name);
      const std::string* first = rows.front()->identity->factor(name);
      return here && first ? *here == *first : here == first;
    });
  };
  std::erase_if(names, same_in_all);
  std::set<std::vector<FactorText>> distinct;
  for (const Candidate* row : rows) distinct.insert(row->identity->factors);
  if (distinct.size() < rows.size()) names.insert("head");
  return names;
}

/// As shown: the stored value even where it is the default.
std::string shown_value(const Candidate& candidate, const std::string& name) {
  if (const std::string* value = candidate.identity->factor(name)) return *value;
  if (name == "head") return candidate.identity->head;
  for (const SelectedSeed& seed : candidate.row.seeds) {
    const auto stored = std::ranges::find(seed.subject->factors, name, &Factor::name);
    if (stored != seed.subject->factors.end()) return factor_text(stored->value);
  }
  return "default";
}

/// Puts "name=value" at its place in canonical "k=v;k=v".
void append(std::string& params, const std::string& name, std::string value) {
  std::vector<std::string> entries = split(params, ';');
  std::erase(entries, "");
  entries.push_back(name + "=" + replace_all(std::move(value), ";", " "));
  std::ranges::stable_sort(entries, {},
                           [](const std::string& entry) { return std::string_view(entry).substr(0, entry.find('=')); });
  params = join(entries, ";");
}

/// Rows of one name get the factors that tell them apart. Returns these factors' names.
std::set<std::string> tell_apart(std::vector<Candidate>& candidates) {
  std::map<RowName, std::vector<Candidate*>> by_name;
  for (Candidate& candidate : candidates) by_name[candidate.row.name].push_back(&candidate);
  std::set<std::string> told;
  for (const auto& [name, rows] : by_name) {
    if (rows.size() < 2) continue;
    const std::set<std::string> factors = differing_names(rows);
    for (Candidate* row : rows) {
      for (const std::string& factor : factors) {
        const bool of_postprocessor = factor == "postprocessor" || factor.starts_with("postprocessor.");
        RowName& shown = row->row.name;
        append(of_postprocessor ? shown.postprocessor_params : shown.training_params, factor,
               shown_value(*row, factor));
      }
    }
    told.insert(factors.begin(), factors.end());
  }
  return told;
}

std::string_view newest_uid(const SelectedBoard& board) {
  std::string_view newest;
  for (const SelectedRow& row : board.rows) {
    for (const SelectedSeed& seed : row.seeds) newest = std::max<std::string_view>(newest, seed.subject->run_uid);
  }
  return newest;
}

}  // namespace

std::vector<SelectedBoard> select_boards(const ResultsFrame& frame, const ReportFilter& filter) {
  std::vector<SelectedBoard> boards;
  for (const auto& [key, rows] : group_rows(frame, filter)) {
    SelectedBoard& board = boards.emplace_back();
    std::tie(board.benchmark, board.protocol, board.data_hash) = key;
    std::vector<Candidate> candidates;
    for (const auto& [row, versions] : rows) {
      candidates.push_back(make_candidate(row.first, newest_version(versions)));
      board.superseded_count += static_cast<std::int64_t>(versions.size()) - 1;
    }
    tell_versions(candidates);
    const std::set<std::string> told = tell_apart(candidates);
    board.differing_factors.assign(told.begin(), told.end());
    for (Candidate& candidate : candidates) board.rows.push_back(std::move(candidate.row));
    std::ranges::sort(board.rows, {}, &SelectedRow::name);
  }
  std::ranges::stable_sort(boards, [](const SelectedBoard& a, const SelectedBoard& b) {
    if (a.benchmark != b.benchmark || a.protocol != b.protocol)
      return std::tie(a.benchmark, a.protocol) < std::tie(b.benchmark, b.protocol);
    return newest_uid(a) > newest_uid(b);
  });
  return boards;
}

}  // namespace nearfar
