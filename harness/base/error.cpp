#include "base/error.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace nearfar {
namespace {
struct KindRow {
  ErrorKind kind;
  std::string_view name;
  int exit_code;
};
constexpr std::array<KindRow, 7> kKinds{{{ErrorKind::interrupted, "interrupted", 2},
                                         {ErrorKind::internal, "internal", 3},
                                         {ErrorKind::config, "config", 4},
                                         {ErrorKind::nothing, "nothing", 5},
                                         {ErrorKind::data, "data", 6},
                                         {ErrorKind::plugin, "plugin", 7},
                                         {ErrorKind::store, "store", 8}}};

const KindRow& row(ErrorKind kind) {
  for (const KindRow& candidate : kKinds) {
    if (candidate.kind == kind) return candidate;
  }
  return row(ErrorKind::internal);
}
}  // namespace

int exit_code(ErrorKind kind) { return row(kind).exit_code; }

std::string_view kind_name(ErrorKind kind) { return row(kind).name; }

ErrorKind kind_from_name(std::string_view name) {
  for (const KindRow& candidate : kKinds) {
    if (candidate.name == name) return candidate.kind;
  }
  return ErrorKind::internal;
}

void assertion_failed(const char* expression, const char* file, int line) {
  throw Error(
      ErrorKind::internal,
      fmt::format("{}:{}: assertion failed: {}; this is a bug in nearfar, please report it", file, line, expression));
}

}  // namespace nearfar
