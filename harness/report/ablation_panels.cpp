#include "report/ablation_panels.h"

#include "base/error.h"
#include "base/text.h"
#include "report/ablation_axes.h"
#include "report/joined.h"
#include "report/row_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>

namespace nearfar {
namespace {

const std::vector<std::string> kMethods = {"loss", "model", "postprocessor"};

struct Entry {
  std::string text, key, value;
};

std::vector<Entry> read_entries(const std::vector<std::string>& texts) {
  std::vector<Entry> entries;
  for (const std::string& text : texts) {
    const std::size_t equal = text.find('=');
    if (equal == std::string::npos || equal == 0 || equal + 1 == text.size())
      throw Error(ErrorKind::config, fmt::format("--baseline '{}': expected key=value, like train.lr=0.1", text));
    const std::string key = text.substr(0, equal);
    if (key == "seed" || key == "seeds")
      throw Error(ErrorKind::config, fmt::format("--baseline '{}': seeds are averaged, never compared", text));
    if (key == "benchmark" || key == "benchmarks" || key == "protocol")
      throw Error(ErrorKind::config,
                  fmt::format("--baseline '{}': every benchmark and protocol has tables of its own; use --benchmark or "
                              "--protocol to see one of them",
                              text));
    entries.push_back({text, key, axis_value(text.substr(equal + 1))});
  }
  return entries;
}

bool same_value(const std::string& wanted, const std::string& value) {
  return wanted == value || plugin_key(wanted) == plugin_key(value);
}

bool fits(const PanelRow& row, const Entry& entry) {
  return std::ranges::any_of(row.facts, [&](const auto& fact) {
    return names_fact(entry.key, fact.first) && same_value(entry.value, fact.second);
  });
}

/// Values by name that a baseline should have.
using Wanted = AxisFacts;

Wanted declared_values(const Panel& panel, const AblationRequest& request) {
  Wanted wanted;
  for (const DeclaredBaseline& declared : request.declared) {
    if (!declared.loss.empty() && !panel.of_methods && plugin_key(declared.loss) != plugin_key(panel.loss)) continue;
    for (const Factor& factor : declared.values) wanted[factor.name] = axis_value(factor_text(factor.value));
  }
  return wanted;
}

/// Of each factor of an axis: what most rows have; of equally many the default, then the first in order.
Wanted common_values(const Panel& panel) {
  Wanted wanted;
  for (const AblationAxis& axis : panel.axes) {
    for (const std::string& name : axis.factors) {
      std::map<std::string, std::pair<std::size_t, bool>> counts;
      for (const PanelRow& row : panel.rows) {
        auto& [count, is_default] = counts[row.facts.at(name)];
        ++count;
        is_default = is_default || row.at_default.contains(name);
      }
      // Values in the order of the axis, where it has one factor.
      std::vector<std::string> values;
      if (axis.factors.size() == 1) {
        values = axis.values;
      } else {
        for (const auto& [value, count] : counts) values.push_back(value);
      }
      wanted[name] = *std::ranges::max_element(values, {}, [&](const std::string& value) { return counts.at(value); });
    }
  }
  return wanted;
}

/// Factors of the axes that are as wanted.
std::size_t matches(const Panel& panel, const PanelRow& row, const Wanted& wanted) {
  std::size_t count = 0;
  for (const AblationAxis& axis : panel.axes) {
    for (const std::string& name : axis.factors) {
      const auto found = wanted.find(name);
      if (found != wanted.end() && same_value(found->second, row.facts.at(name))) ++count;
    }
  }
  return count;
}

/// Wanted values of the panel's axes, and how many of them there are.
std::size_t known(const Panel& panel, const Wanted& wanted) {
  std::size_t count = 0;
  for (const AblationAxis& axis : panel.axes)
    count += static_cast<std::size_t>(
        std::ranges::count_if(axis.factors, [&](const std::string& name) { return wanted.contains(name); }));
  return count;
}

std::string row_text(const Panel& panel, const PanelRow& row) {
  std::vector<std::string> parts;
  for (std::size_t axis = 0; axis < panel.axes.size(); ++axis)
    parts.push_back(fmt::format("{} {}", panel.axes[axis].name, panel.axes[axis].values[row.levels[axis]]));
  return join(parts, ", ");
}

/// The rows that have everything that was typed and that the panel knows. Error(config) where there is none although
/// each value is there.
std::vector<std::size_t> typed_rows(const Panel& panel, const std::vector<Entry>& entries, bool& any) {
  std::vector<const Entry*> here;
  for (const Entry& entry : entries) {
    if (std::ranges::any_of(panel.rows, [&](const PanelRow& row) { return fits(row, entry); })) here.push_back(&entry);
  }
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < panel.rows.size(); ++i) {
    if (std::ranges::all_of(here, [&](const Entry* entry) { return fits(panel.rows[i], *entry); })) rows.push_back(i);
  }
  any = std::ranges::any_of(here, [&](const Entry* entry) {
    return std::ranges::any_of(panel.rows, [&](const PanelRow& row) { return !fits(row, *entry); });
  });
  if (rows.empty()) {
    std::vector<std::string> texts;
    for (const Entry* entry : here) texts.push_back(entry->text);
    std::set<std::string> there;
    for (const PanelRow& row : panel.rows) there.insert(row_text(panel, row));
    throw Error(ErrorKind::config, fmt::format("--baseline {}: no finished row has all of these; there are: {}",
                                               join(texts, " "), joined(there, " | ")));
  }
  return rows;
}

/// Puts the baseline first and the others in order.
void arrange(Panel& panel, std::size_t baseline) {
  const std::vector<std::size_t> base = panel.rows[baseline].levels;
  for (PanelRow& row : panel.rows) {
    row.changes = 0;
    for (std::size_t axis = 0; axis < base.size(); ++axis) row.changes += row.levels[axis] != base[axis] ? 1 : 0;
  }
  std::ranges::stable_sort(panel.rows, {}, [&](const PanelRow& row) {
    std::size_t first = 0;
    while (first < base.size() && row.levels[first] == base[first]) ++first;
    return std::tuple(row.changes, first, row.levels);
  });
}

void choose_baseline(Panel& panel, const AblationRequest& request, const std::vector<Entry>& entries) {
  bool typed = false;
  const std::vector<std::size_t> candidates = typed_rows(panel, entries, typed);
  const Wanted declared = declared_values(panel, request), common = common_values(panel);
  const auto best = std::ranges::max_element(candidates, {}, [&](std::size_t i) {
    // Of equals max_element takes the first; boards have their rows by name.
    return std::pair(matches(panel, panel.rows[i], declared), matches(panel, panel.rows[i], common));
  });
  const PanelRow& row = panel.rows[*best];
  const bool complete = matches(panel, row, declared) == known(panel, declared);
  const bool has_declared = known(panel, declared) > 0;
  panel.baseline_from = typed ? "--baseline" : has_declared && complete ? "the sweep" : "the most common values";
  if (!typed && has_declared && !complete)
    panel.notes.push_back(
        fmt::format("The sweep's own baseline has no finished result here; compared with {}", row_text(panel, row)));
  arrange(panel, *best);
}

void check_entries(const std::vector<Panel>& panels, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    std::set<std::string> values;
    bool there = false;
    for (const Panel& panel : panels) {
      for (const PanelRow& row : panel.rows) {
        there = there || fits(row, entry);
        for (const auto& [name, value] : row.facts) {
          if (names_fact(entry.key, name)) values.insert(value);
        }
      }
    }
    if (there) continue;
    if (values.empty()) {
      throw Error(ErrorKind::config, fmt::format("--baseline '{}': there is no '{}' among the axes, which are: {}",
                                                 entry.text, entry.key, axes_text(panels)));
    }
    throw Error(ErrorKind::config, fmt::format("--baseline '{}': no finished row has that value of '{}'; there is {}",
                                               entry.text, entry.key, joined(values, ", ")));
  }
}

/// Each method at its own baseline.
std::optional<Panel> panel_of_methods(const SelectedBoard& board, std::span<const Panel> panels, bool drawn) {
  Panel methods{.board = &board, .of_methods = true};
  for (const Panel& panel : panels) methods.rows.push_back(panel.rows.front());
  methods.axes = find_axes(methods.rows, kMethods, drawn);
  if (methods.axes.empty()) return std::nullopt;
  return methods;
}

}  // namespace

bool names_fact(const std::string& key, const std::string& fact) {
  const std::string name = key == "losses"                          ? "loss"
                           : key == "postprocessors"                ? "postprocessor"
                           : key == "models" || key == "model.name" ? "model"
                                                                    : key;
  if (name == fact || fact.ends_with("." + name)) return true;
  const std::size_t train = name.find(".train.");  // loss.NAME.train.KEY
  return name.starts_with("loss.") && train != std::string::npos && name.substr(train + 1) == fact;
}

std::string axes_text(const std::vector<Panel>& panels) {
  std::map<std::string, std::vector<std::string>> axes;
  for (const Panel& panel : panels) {
    for (const AblationAxis& axis : panel.axes) {
      std::vector<std::string>& values = axes[axis.name];
      for (const std::string& value : axis.values) {
        if (std::ranges::find(values, value) == values.end()) values.push_back(value);
      }
    }
  }
  std::vector<std::string> texts;
  for (const auto& [name, values] : axes) texts.push_back(fmt::format("{} ({})", name, join(values, ", ")));
  return texts.empty() ? "none" : join(texts, "; ");
}

std::vector<Panel> make_panels(const std::vector<SelectedBoard>& boards, const AblationRequest& request) {
  const std::vector<Entry> entries = read_entries(request.baseline);
  std::vector<Panel> all;
  for (const SelectedBoard& board : boards) {
    std::map<std::tuple<std::string, std::string, std::string>, Panel> contexts;
    for (const SelectedRow& row : board.rows) {
      PanelRow facts = facts_of_row(row);
      Panel& panel = contexts[{facts.facts["loss"], facts.facts["model"], facts.facts["postprocessor"]}];
      panel.rows.push_back(std::move(facts));
    }
    std::vector<Panel> panels;
    for (auto& [names, panel] : contexts) {
      std::tie(panel.loss, panel.model, panel.postprocessor) = names;
      panel.board = &board;
      panel.axes = find_axes(panel.rows, {}, request.drawn);
      panels.push_back(std::move(panel));
    }
    for (Panel& panel : panels) choose_baseline(panel, request, entries);
    std::optional<Panel> methods = panel_of_methods(board, panels, request.drawn);
    if (methods) {
      choose_baseline(*methods, request, entries);
      all.push_back(std::move(*methods));
    }
    all.insert(all.end(), std::make_move_iterator(panels.begin()), std::make_move_iterator(panels.end()));
  }
  check_entries(all, entries);
  return all;
}

}  // namespace nearfar
