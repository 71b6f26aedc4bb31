#include "base/error.h"
#include "cli/bundle_verbs.h"
#include "cli/sources.h"

#include <fmt/format.h>

namespace nearfar {

int verify_verb(const std::string& bundle, bool json) {
  const Verification found = verify_source(open_source(bundle));
  fmt::print("{}", json ? verification_json(found) : verification_text(found));
  return found.passed() ? 0 : exit_code(ErrorKind::data);
}

}  // namespace nearfar
