#pragma once
/// `-k EXPR`: which cells a person means. Pure; safe from any thread.
///
///   knn and not s0            words of a label ("ce/resnet8/s0 knn": ce, resnet8, s0, knn), its kind, or a whole part
///   (ce or supcon) and m*     of it ("ce/resnet8/s0"); upper and lower case are the same; * ? [ ] as in file names
///   knn@1.2.0 or knn@>=1.2    where a label has versions, because several of a plugin meet (base/version.h)
///   7c1e09 or "k=5"           the beginning of a key, at least 4 digits of it; quotes for what has blanks or brackets
///
/// `not` binds closer than `and`, `and` closer than `or`.
#include "store/types.h"

#include <memory>
#include <string_view>

namespace nearfar {

class Selection {
 public:
  /// Every cell.
  Selection() = default;
  /// Blank: every cell. Error(config) with the place and what was expected there.
  explicit Selection(std::string_view expression);

  bool is_all() const { return root_ == nullptr; }
  bool matches(std::string_view label, CellKind kind, std::string_view key) const;

  struct Term;  ///< of the expression; known to selection.cpp alone

 private:
  std::shared_ptr<const Term> root_;  // shared: it never changes, and a Selection may be copied
};

}  // namespace nearfar
