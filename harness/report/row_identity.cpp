#include "report/row_identity.h"

#include "base/text.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace nearfar {
namespace {

constexpr std::string_view kLoss = "loss.", kPostprocessor = "postprocessor.";

/// True if canonical "k=v;k=v" has the key.
bool has_key(std::string_view params, std::string_view key) {
  while (!params.empty()) {
    const std::string_view entry = params.substr(0, params.find(';'));
    if (entry.substr(0, entry.find('=')) == key) return true;
    params.remove_prefix(std::min(params.size(), entry.size() + 1));
  }
  return false;
}

/// Factors that repeat what a field of the row says: not every version of the database has them.
bool told_by_field(const Factor& factor, const ResultSubject& subject) {
  const std::string_view name = factor.name;
  if (name == "seed") return true;
  if (name == "loss") return factor_text(factor.value) == subject.training;
  if (name == "model") return factor_text(factor.value) == subject.architecture;
  if (name == "postprocessor") return factor_text(factor.value) == subject.postprocessor;
  if (name.starts_with(kLoss)) return has_key(subject.training_params, name.substr(kLoss.size()));
  if (name.starts_with(kPostprocessor))
    return has_key(subject.postprocessor_params, name.substr(kPostprocessor.size()));
  return false;
}

/// The defaults that results tell of.
class Defaults {
 public:
  explicit Defaults(std::span<const ResultSubject> subjects) {
    for (const ResultSubject& subject : subjects) {
      for (const Factor& factor : subject.factors) {
        if (!factor.is_default) continue;
        const auto [known, is_new] = values_.try_emplace(key(factor, subject), factor_text(factor.value));
        if (!is_new && known->second && *known->second != factor_text(factor.value)) known->second.reset();
      }
    }
  }

  bool has(const Factor& factor, const ResultSubject& subject, const std::string& text) const {
    const auto known = values_.find(key(factor, subject));
    return known != values_.end() && known->second == text;
  }

 private:
  /// Parameters of two plugins may share a name.
  using Key = std::pair<std::string_view, std::string_view>;
  static Key key(const Factor& factor, const ResultSubject& subject) {
    if (factor.name.starts_with(kLoss)) return {factor.name, subject.training};
    if (factor.name.starts_with(kPostprocessor)) return {factor.name, subject.postprocessor};
    return {factor.name, ""};
  }

  std::map<Key, std::optional<std::string>> values_;  // nullopt: results disagree
};

}  // namespace

const std::string* RowIdentity::factor(std::string_view name) const {
  const auto found = std::ranges::find(factors, name, &FactorText::name);
  return found == factors.end() ? nullptr : &found->value;
}

std::vector<RowIdentity> row_identities(std::span<const ResultSubject> subjects) {
  const Defaults defaults(subjects);
  std::vector<RowIdentity> identities;
  identities.reserve(subjects.size());
  for (const ResultSubject& subject : subjects) {
    RowIdentity& identity = identities.emplace_back(RowIdentity{subject.training,
                                                                subject.training_params,
                                                                subject.architecture,
                                                                subject.head,
                                                                subject.postprocessor,
                                                                subject.postprocessor_params,
                                                                {}});
    for (const Factor& factor : subject.factors) {
      if (told_by_field(factor, subject)) continue;
      std::string text = factor_text(factor.value);
      if (!defaults.has(factor, subject, text)) identity.factors.push_back({factor.name, std::move(text)});
    }
    std::ranges::sort(identity.factors);
  }
  return identities;
}

std::string factor_text(const ParamValue& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return number_text(*number);
  return std::get<std::string>(value);
}

}  // namespace nearfar
