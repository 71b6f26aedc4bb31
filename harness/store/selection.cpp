#include "store/selection.h"

#include "base/error.h"
#include "base/text.h"
#include "base/version.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

namespace nearfar {

struct Selection::Term {
  enum class Kind { word, negation, both, either } kind = Kind::word;
  std::string word = {};
  std::shared_ptr<const Term> left = {}, right = {};
};

namespace {

using Term = Selection::Term;
using TermPtr = std::shared_ptr<const Term>;

constexpr int kDeepest = 100;  // brackets in brackets
constexpr std::size_t kShortestKey = 4;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

struct Token {
  enum class Kind { word, quoted, open, close, end } kind = Kind::end;
  std::string text = {};
  std::size_t column = 0;
  bool is(std::string_view word) const { return kind == Kind::word && text == word; }
};

/// "knn@>=1.2", not "knn@1.2.0", which is a word of a label.
bool has_condition(std::string_view word) {
  const std::size_t at = word.find('@');
  return at != std::string_view::npos && word.find_first_of("<>=^", at) == at + 1;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) { advance(); }

  TermPtr whole() {
    TermPtr term = either();
    if (token_.kind != Token::Kind::end) expected("'and', 'or' or the end");
    return term;
  }

 private:
  TermPtr either() {
    TermPtr term = both();
    while (token_.is("or")) {
      advance();
      term = std::make_shared<Term>(Term{Term::Kind::either, {}, term, both()});
    }
    return term;
  }
  TermPtr both() {
    TermPtr term = single();
    while (token_.is("and")) {
      advance();
      term = std::make_shared<Term>(Term{Term::Kind::both, {}, term, single()});
    }
    return term;
  }
  TermPtr single() {
    if (++depth_ > kDeepest) expected("fewer brackets and nots within each other");
    TermPtr term;
    if (token_.is("not")) {
      advance();
      term = std::make_shared<Term>(Term{Term::Kind::negation, {}, single(), {}});
    } else if (token_.kind == Token::Kind::open) {
      advance();
      term = either();
      if (token_.kind != Token::Kind::close) expected("')'");
      advance();
    } else {
      const bool reserved = token_.is("and") || token_.is("or");
      if (reserved || (token_.kind != Token::Kind::word && token_.kind != Token::Kind::quoted))
        expected("a word of a label, the beginning of a key, 'not' or '('");
      term = std::make_shared<Term>(Term{Term::Kind::word, lower(token_.text), {}, {}});
      if (has_condition(term->word)) wanted_plugin(term->word);  // is refused here, not at the first label
      advance();
    }
    --depth_;
    return term;
  }

  void advance() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    token_ = {.column = at_ + 1};
    if (at_ == text_.size()) return;
    const char first = text_[at_];
    if (first == '(' || first == ')') {
      token_.kind = first == '(' ? Token::Kind::open : Token::Kind::close;
      token_.text = text_.substr(at_++, 1);
    } else if (first == '"' || first == '\'') {
      const std::size_t end = text_.find(first, at_ + 1);
      token_.kind = Token::Kind::quoted;
      token_.text = text_.substr(at_ + 1, end == std::string_view::npos ? end : end - at_ - 1);
      if (end == std::string_view::npos || token_.text.empty()) expected("text between two quotes");
      at_ = end + 1;
    } else {
      const std::size_t end = std::min(text_.find_first_of(" \t\r\n()\"'", at_), text_.size());
      token_.kind = Token::Kind::word;
      token_.text = text_.substr(at_, end - at_);
      at_ = end;
    }
  }

  [[noreturn]] void expected(std::string_view what) const {
    const std::string found = token_.kind == Token::Kind::end ? "the end" : "'" + token_.text + "'";
    throw Error(ErrorKind::config,
                fmt::format("-k '{}': found {} at column {}, expected {}", text_, found, token_.column, what));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  Token token_;
};

/// What a cell is called by, in lower case.
std::vector<std::string> words_of(std::string_view label, CellKind kind) {
  std::vector<std::string> words{std::string(kind_name(kind)), lower(label)};
  for (const std::string& part : split(words[1], ' ')) {
    words.push_back(part);
    for (std::string& word : split(part, '/')) {
      if (const std::size_t at = word.find('@'); at != std::string::npos) words.push_back(word.substr(0, at));
      words.push_back(std::move(word));
    }
  }
  return words;
}

/// Does the label have an accepted version of the plugin?
bool accepts(std::string_view condition, const std::vector<std::string>& words) {
  const WantedPlugin wanted = wanted_plugin(condition);
  const VersionRequirement requirement(wanted.requirement);
  return std::ranges::any_of(words, [&](const std::string& word) {
    return word.starts_with(wanted.name + "@") && requirement.accepts(word.substr(wanted.name.size() + 1));
  });
}

bool is_key(std::string_view word, std::string_view key) {
  return word.size() >= kShortestKey && key.starts_with(word);
}

bool holds(const Term& term, const std::vector<std::string>& words, std::string_view key) {
  switch (term.kind) {
    case Term::Kind::negation:
      return !holds(*term.left, words, key);
    case Term::Kind::both:
      return holds(*term.left, words, key) && holds(*term.right, words, key);
    case Term::Kind::either:
      return holds(*term.left, words, key) || holds(*term.right, words, key);
    case Term::Kind::word:
      break;
  }
  const auto same = [&](const std::string& word) {
    return word == term.word || ::fnmatch(term.word.c_str(), word.c_str(), 0) == 0;
  };
  if (has_condition(term.word)) return accepts(term.word, words);
  return is_key(term.word, key) || std::any_of(words.begin(), words.end(), same);
}

}  // namespace

Selection::Selection(std::string_view expression) {
  if (!trim(expression).empty()) root_ = Parser(expression).whole();
}

bool Selection::matches(std::string_view label, CellKind kind, std::string_view key) const {
  return root_ == nullptr || holds(*root_, words_of(label, kind), key);
}

}  // namespace nearfar
