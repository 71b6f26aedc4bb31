#include "report/compare_pairs.h"

#include "base/error.h"
#include "base/text.h"
#include "report/row_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

namespace nearfar {
namespace {

using Facts = std::map<std::string, std::string>;

/// Everything that a row is: its fields by the names that factors have, and its factors.
Facts facts_of(const SelectedRow& row, bool with_defaults) {
  const ResultSubject& subject = *row.seeds.front().subject;
  Facts facts;
  for (const Factor& factor : subject.factors) {
    if (factor.name == "seed" || (!with_defaults && factor.is_default)) continue;
    facts[factor.name] = factor_text(factor.value);
  }
  facts["loss"] = subject.training;
  facts["model"] = subject.architecture;
  facts["postprocessor"] = subject.postprocessor;
  facts["head"] = subject.head;
  facts["loss parameters"] = subject.training_params;
  facts["postprocessor parameters"] = subject.postprocessor_params;
  return facts;
}

/// "lr" of "train.lr": names whose last part it is, unless it is one itself.
std::set<std::string> keys_named(const std::string& key, const Facts& facts) {
  if (facts.contains(key)) return {key};
  std::set<std::string> found;
  for (const auto& [name, value] : facts) {
    if (name.ends_with("." + key)) found.insert(name);
  }
  return found;
}

/// Names of the facts by which the condition holds; empty: it does not.
std::set<std::string> held_by(const RowChoice::Condition& condition, const Facts& facts) {
  std::set<std::string> found;
  if (condition.key.empty()) {
    for (const char* name : {"loss", "model", "postprocessor"}) {
      if (facts.at(name) == condition.value || facts.at(name) == plugin_key(condition.value)) found.insert(name);
    }
    return found;
  }
  for (const std::string& name : keys_named(condition.key, facts)) {
    if (facts.at(name) == condition.value) found.insert(name);
  }
  return found;
}

bool fits(const RowChoice& choice, const Facts& facts, std::set<std::string>& named) {
  std::set<std::string> all;
  for (const RowChoice::Condition& condition : choice.conditions) {
    const std::set<std::string> by = held_by(condition, facts);
    if (by.empty()) return false;
    all.insert(by.begin(), by.end());
  }
  named.insert(all.begin(), all.end());
  return true;
}

/// What has to be the same in both rows.
Facts common_facts(Facts facts, const std::set<std::string>& named) {
  const bool loss = named.contains("loss"), postprocessor = named.contains("postprocessor");
  std::erase_if(facts, [&](const auto& fact) {
    const std::string& name = fact.first;
    const bool of_loss = name.starts_with("loss.") || name == "loss parameters" || name == "head";
    const bool of_postprocessor = name.starts_with("postprocessor.") || name == "postprocessor parameters";
    const bool repeats = (name == "loss parameters" || name == "postprocessor parameters") &&
                         std::any_of(named.begin(), named.end(), [&](const std::string& one) {
                           return one.starts_with(name == "loss parameters" ? "loss." : "postprocessor.");
                         });
    return named.contains(name) || (loss && of_loss) || (postprocessor && of_postprocessor) || repeats;
  });
  return facts;
}

std::string choice_text(const RowChoice& choice) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : choice.conditions) parts.push_back(key.empty() ? value : key + "=" + value);
  return join(parts, ",");
}

[[noreturn]] void refuse_choice(const std::vector<SelectedBoard>& boards, const RowChoice& choice) {
  std::set<std::string> rows;
  for (const SelectedBoard& board : boards) {
    for (const SelectedRow& row : board.rows) rows.insert(row_label(row.name));
  }
  std::vector<std::string> names(rows.begin(), rows.end());
  if (names.size() > 10) {
    names.resize(10);
    names.emplace_back("…");
  }
  throw Error(ErrorKind::config,
              fmt::format("'{}' fits no row with results; there are: {}", choice_text(choice), join(names, ", ")));
}

[[noreturn]] void refuse_partners(const SelectedRow& row, const std::vector<const SelectedRow*>& partners) {
  std::vector<std::string> names;
  for (const SelectedRow* one : partners) names.push_back(row_label(one->name));
  throw Error(ErrorKind::config,
              fmt::format("{} may be compared with {}: say which, like train.lr=0.1 or a postprocessor's name",
                          row_label(row.name), join(names, " and ")));
}

/// "train.lr 0.1, 0.5" for every fact in which they differ.
std::vector<std::string> differences(const Facts& a, const Facts& b) {
  std::set<std::string> names;
  for (const Facts* side : {&a, &b}) {
    for (const auto& [name, value] : *side) names.insert(name);
  }
  std::vector<std::string> result;
  const auto value = [](const Facts& facts, const std::string& name) {
    const auto found = facts.find(name);
    return found == facts.end() ? "default" : found->second;
  };
  for (const std::string& name : names) {
    if (value(a, name) != value(b, name))
      result.push_back(fmt::format("{} {}, {}", name, value(a, name), value(b, name)));
  }
  return result;
}

using Rows = std::vector<std::pair<const SelectedBoard*, const SelectedRow*>>;

/// With the row that comes nearest.
std::string no_partner(const SelectedBoard* board, const SelectedRow* row, const Rows& others,
                       const std::function<const Facts&(const SelectedRow*)>& common) {
  std::vector<std::string> least;
  const SelectedRow* nearest = nullptr;
  for (const auto& [other_board, other] : others) {
    if (other_board != board || other == row) continue;
    std::vector<std::string> found = differences(common(row), common(other));
    if (nearest != nullptr && found.size() >= least.size()) continue;
    nearest = other;
    least = std::move(found);
  }
  const std::string why = nearest == nullptr
                              ? fmt::format("nothing else is on {}", board->benchmark)
                              : fmt::format("{} differs in {}", row_label(nearest->name), join(least, "; "));
  return fmt::format("{} has no partner ({})", row_label(row->name), why);
}

Facts without_training(Facts facts) {
  std::erase_if(facts, [](const auto& fact) { return fact.first.starts_with("train."); });
  return facts;
}

[[noreturn]] void refuse_nothing(const std::vector<std::string>& left_out) {
  throw Error(ErrorKind::nothing,
              fmt::format("no two rows can be compared{}{}", left_out.empty() ? "" : ": ", join(left_out, "; ")));
}

}  // namespace

RowChoice RowChoice::from_text(std::string_view text) {
  RowChoice choice;
  const std::string blanks = replace_all(std::string(text), ",", " ");
  for (const std::string& token : split(blanks, ' ')) {
    if (token.empty()) continue;
    const std::size_t equal = token.find('=');
    if (equal != std::string::npos) {
      const std::string key = token.substr(0, equal), value = token.substr(equal + 1);
      if (key.empty() || value.empty())
        throw Error(ErrorKind::config, fmt::format("'{}' in '{}': expected key=value", token, text));
      if (key == "seed" || key == "seeds")
        throw Error(ErrorKind::config, fmt::format("'{}': seeds are averaged, never compared", token));
      const bool plugin = key == "loss" || key == "losses" || key == "postprocessor" || key == "postprocessors";
      choice.conditions.push_back({key == "losses"           ? "loss"
                                   : key == "postprocessors" ? "postprocessor"
                                   : key == "model.name"     ? "model"
                                                             : key,
                                   plugin ? plugin_key(value) : value});
      continue;
    }
    for (const std::string& word : split(token, '/')) {
      const bool seed =
          word.size() > 1 && word[0] == 's' && word.find_first_not_of("0123456789", 1) == std::string::npos;
      if (seed) throw Error(ErrorKind::config, fmt::format("'{}': seeds are averaged, never compared", text));
      if (!word.empty()) choice.conditions.push_back({"", word});
    }
  }
  return choice;
}

std::string row_label(const RowName& name) {
  const auto with = [](const std::string& what, const std::string& params) {
    return params.empty() ? what : fmt::format("{} ({})", what, replace_all(params, ";", ", "));
  };
  return fmt::format("{}/{} {}", with(name.training, name.training_params), name.architecture,
                     with(name.postprocessor, name.postprocessor_params));
}

std::vector<RowPair> pair_rows(const std::vector<SelectedBoard>& boards, const RowChoice& a, const RowChoice& b,
                               std::vector<std::string>& left_out) {
  std::set<std::string> named;
  std::map<const SelectedRow*, Facts> all;
  Rows of_a, of_b;
  for (const SelectedBoard& board : boards) {
    for (const SelectedRow& row : board.rows) {
      const Facts facts = facts_of(row, true);
      if (fits(a, facts, named)) of_a.emplace_back(&board, &row);
      if (fits(b, facts, named)) of_b.emplace_back(&board, &row);
    }
  }
  if (of_a.empty()) refuse_choice(boards, a);
  if (of_b.empty()) refuse_choice(boards, b);
  const auto common = [&](const SelectedRow* row) -> const Facts& {
    const auto [place, is_new] = all.try_emplace(row);
    if (is_new) place->second = common_facts(facts_of(*row, false), named);
    return place->second;
  };
  std::vector<RowPair> pairs;
  std::map<const SelectedRow*, std::vector<const SelectedRow*>> partners_of_b;
  for (const auto& [board, row] : of_a) {
    const auto partners_where = [&, of = board, a_row = row](const auto& same) {
      std::vector<const SelectedRow*> partners;
      for (const auto& [other_board, other] : of_b) {
        if (other_board == of && other != a_row && same(common(other), common(a_row))) partners.push_back(other);
      }
      return partners;
    };
    std::vector<const SelectedRow*> partners = partners_where(std::equal_to<Facts>());
    if (partners.empty() && named.contains("loss")) {
      partners =
          partners_where([](const Facts& x, const Facts& y) { return without_training(x) == without_training(y); });
    }
    if (partners.size() > 1) refuse_partners(*row, partners);
    if (partners.empty()) {
      left_out.push_back(no_partner(board, row, of_b, common));
      continue;
    }
    partners_of_b[partners[0]].push_back(row);
    pairs.push_back({board, row, partners[0], differences(common(row), common(partners[0]))});
  }
  for (const auto& [row, partners] : partners_of_b) {
    if (partners.size() > 1) refuse_partners(*row, partners);
  }
  if (pairs.empty()) refuse_nothing(left_out);
  return pairs;
}

std::vector<RowPair> pair_databases(const std::vector<SelectedBoard>& a, const std::vector<SelectedBoard>& b,
                                    std::vector<std::string>& left_out) {
  std::vector<RowPair> pairs;
  for (const SelectedBoard& board : a) {
    const auto other = std::ranges::find_if(b, [&](const SelectedBoard& one) {
      return one.benchmark == board.benchmark && one.protocol == board.protocol && one.data_hash == board.data_hash;
    });
    if (other == b.end()) {
      left_out.push_back(
          fmt::format("B has no results on {} with these images, protocol {}", board.benchmark, board.protocol));
      continue;
    }
    for (const SelectedRow& row : board.rows) {
      const Facts facts = facts_of(row, false);
      const auto partner =
          std::ranges::find_if(other->rows, [&](const SelectedRow& one) { return facts_of(one, false) == facts; });
      if (partner == other->rows.end()) {
        left_out.push_back(fmt::format("B has no {} on {}", row_label(row.name), board.benchmark));
      } else {
        pairs.push_back({&board, &row, &*partner, {}});
      }
    }
  }
  if (pairs.empty()) refuse_nothing(left_out);
  return pairs;
}

}  // namespace nearfar
