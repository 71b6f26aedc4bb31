#include "report/ablation_axes.h"

#include "base/text.h"
#include "report/row_identity.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace nearfar {
namespace {

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// Parameters of two plugins may share a name; a sweep writes them with the plugin's.
std::string axis_name(const std::string& factor, const ResultSubject& subject) {
  constexpr std::string_view kLoss = "loss.", kPostprocessor = "postprocessor.";
  if (factor.starts_with(kLoss)) return "loss." + subject.training + "." + factor.substr(kLoss.size());
  if (factor.starts_with(kPostprocessor))
    return "postprocessor." + subject.postprocessor + "." + factor.substr(kPostprocessor.size());
  return factor;
}

/// What databases that keep no factors say: "k=v;k=v".
void add_params(PanelRow& row, const std::string& prefix, const std::string& params) {
  for (const std::string& entry : split(params, ';')) {
    const std::size_t equal = entry.find('=');
    if (equal != std::string::npos)
      row.facts.try_emplace(prefix + entry.substr(0, equal), axis_value(entry.substr(equal + 1)));
  }
}

/// A row that lacks a fact that others have is at its default.
void fill_in(std::vector<PanelRow>& rows) {
  std::map<std::string, std::string> known;
  for (const PanelRow& row : rows) {
    for (const auto& [name, value] : row.facts) {
      const auto place = known.try_emplace(name, "default").first;
      if (row.at_default.contains(name)) place->second = value;
    }
  }
  for (PanelRow& row : rows) {
    for (const auto& [name, value] : known) {
      if (row.facts.try_emplace(name, value).second) row.at_default.insert(name);
    }
  }
}

/// One value of `from` never goes with two of `to`.
bool determines(const std::vector<PanelRow>& rows, const std::string& from, const std::string& to) {
  std::map<std::string_view, std::string_view> seen;
  return std::ranges::all_of(rows, [&](const PanelRow& row) {
    const std::string& value = row.facts.at(to);
    return seen.try_emplace(row.facts.at(from), value).first->second == value;
  });
}

bool varies(const std::vector<PanelRow>& rows, const std::string& name) {
  return std::ranges::any_of(rows,
                             [&](const PanelRow& row) { return row.facts.at(name) != rows.front().facts.at(name); });
}

bool is_method(const std::string& name) { return name == "loss" || name == "model" || name == "postprocessor"; }

/// Groups of names that are one axis each: `recipe` takes what it decides; what changes together is one.
std::vector<std::vector<std::string>> groups_of(const std::vector<PanelRow>& rows, std::vector<std::string> names,
                                                bool drawn) {
  std::vector<std::vector<std::string>> groups;
  if (std::erase(names, "recipe") > 0) {
    const auto decided = [&](const std::string& name) { return determines(rows, "recipe", name); };
    // A recipe that decides nothing is only another name for the same settings.
    if (std::ranges::any_of(names, decided)) groups.push_back({"recipe"});
    if (!groups.empty()) std::erase_if(names, decided);
  }
  for (const std::string& name : names) {
    const auto same = std::ranges::find_if(groups, [&](const std::vector<std::string>& group) {
      return !drawn && determines(rows, group.front(), name) && determines(rows, name, group.front());
    });
    if (same == groups.end()) {
      groups.push_back({name});
    } else {
      same->push_back(name);
    }
  }
  return groups;
}

AblationAxis make_axis(std::vector<PanelRow>& rows, const std::vector<std::string>& names) {
  AblationAxis axis{.name = join(names, " + "), .factors = names};
  const auto value_of = [&](const PanelRow& row) {
    std::vector<std::string> parts;
    for (const std::string& name : names) parts.push_back(row.facts.at(name));
    return join(parts, ", ");
  };
  std::set<std::string> values;
  for (const PanelRow& row : rows) values.insert(value_of(row));
  axis.values.assign(values.begin(), values.end());
  const bool numeric = std::ranges::all_of(axis.values, [](const std::string& v) { return number_of(v).has_value(); });
  std::ranges::sort(axis.values, [&](const std::string& a, const std::string& b) {
    return numeric ? *number_of(a) < *number_of(b) : natural_less(a, b);
  });
  for (const std::string& value : axis.values) {
    if (numeric) axis.numbers.push_back(*number_of(value));
  }
  for (PanelRow& row : rows) {
    const auto place = std::ranges::find(axis.values, value_of(row));
    row.levels.push_back(static_cast<std::size_t>(place - axis.values.begin()));
  }
  return axis;
}

}  // namespace

std::string axis_value(const std::string& text) {
  const std::optional<double> number = number_of(text);
  return number ? number_text(*number) : text;
}

PanelRow facts_of_row(const SelectedRow& row) {
  const ResultSubject& subject = *row.seeds.front().subject;
  PanelRow result{.row = &row};
  for (const Factor& factor : subject.factors) {
    if (factor.name == "seed") continue;
    const std::string name = axis_name(factor.name, subject);
    result.facts[name] = axis_value(factor_text(factor.value));
    if (factor.is_default) result.at_default.insert(name);
  }
  add_params(result, "loss." + subject.training + ".", subject.training_params);
  add_params(result, "postprocessor." + subject.postprocessor + ".", subject.postprocessor_params);
  result.facts["loss"] = subject.training;
  result.facts["model"] = subject.architecture;
  result.facts["postprocessor"] = subject.postprocessor;
  result.facts["head"] = subject.head;
  result.facts["recipe"] = row.name.recipe;
  return result;
}

std::vector<AblationAxis> find_axes(std::vector<PanelRow>& rows, const std::vector<std::string>& only, bool drawn) {
  fill_in(rows);
  std::vector<std::string> names;
  for (const auto& [name, value] : rows.front().facts) {
    const bool allowed = only.empty() ? !is_method(name) : std::ranges::find(only, name) != only.end();
    if (allowed && name != "head" && varies(rows, name)) names.push_back(name);
  }
  // The head follows from the loss and its projection; it is an axis only where nothing else tells two rows apart.
  std::set<std::vector<std::string>> distinct;
  for (const PanelRow& row : rows) {
    std::vector<std::string> values;
    for (const std::string& name : names) values.push_back(row.facts.at(name));
    distinct.insert(std::move(values));
  }
  if (only.empty() && distinct.size() < rows.size() && varies(rows, "head")) names.emplace_back("head");
  std::vector<AblationAxis> axes;
  for (PanelRow& row : rows) row.levels.clear();
  for (std::vector<std::string>& group : groups_of(rows, std::move(names), drawn)) {
    std::ranges::sort(group);
    axes.push_back(make_axis(rows, group));
  }
  return axes;
}

}  // namespace nearfar
