#pragma once
/// Pages from the templates reports/serve*.mustache. mustache escapes every {{name}}; put in as they are: our own style
/// and script, and charts, whose text is escaped (curves.h). Reads the templates once; safe from any thread after that.
#include "serve/curves.h"
#include "serve/overview.h"
#include "store/results.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

inline constexpr std::size_t kCellsOnPage = 500;

/// What /cells was asked for and what there is.
struct CellList {
  std::string experiment = {}, state = {}, expression = {};
  std::vector<std::string> experiments = {};  ///< to choose from
  std::vector<CellStatus> cells = {};         ///< those shown
  std::size_t from = 0, found = 0;            ///< the first one shown, and how many there are
  std::string problem = {};                   ///< of the expression; then there are no cells
};

/// One cell's page.
struct CellPage {
  CellDetails details = {};
  std::string text = {};       ///< what `show` prints
  std::string log_end = {};    ///< "" = none
  std::string log_note = {};   ///< why there is none, or of which file it is
  std::string reproduce = {};  ///< "" = nobody knows
};

class Pages {
 public:
  /// Error(data) for a template that cannot be read, Error(config) for one that does not parse.
  explicit Pages(const std::filesystem::path& templates);

  std::string overview(const Overview& overview) const;
  std::string cells(const CellList& list) const;
  std::string cell(const CellPage& page) const;
  /// `status`: of HTTP; the page looks again by itself where it may pass (503).
  std::string problem(int status, const std::string& message) const;

  /// The page of `report leaderboard --html` with our bar above it and a script that looks for new results, that is for
  /// another `stamp`.
  std::string leaderboard(std::string html, const std::vector<std::string>& experiments, const std::string& experiment,
                          const std::string& stamp) const;

  /// Content-Security-Policy of the pages above but the leaderboard: nothing but our own style and script, by their
  /// hashes, and requests to this server.
  const std::string& policy() const { return policy_; }
  /// Of a leaderboard page, which says its policy in a <meta> tag, or has the one script of reports/: the same and what
  /// our script needs.
  std::string leaderboard_policy(const std::string& html) const;

 private:
  /// "overview" and the like: which link of the bar is this page. `live`: "page" is put in place anew, "answer" is
  /// loaded again once there is an answer, "" stays.
  std::string whole(const std::string& title, const std::string& here, const std::string& live,
                    const std::string& stamp, const std::string& content) const;
  std::string layout_, overview_, cells_, cell_, bar_, own_css_, css_, js_, board_js_, policy_;
};

/// Text as a link's query has it.
std::string in_query(std::string_view text);

/// "'sha256-…'" as a policy names an inline script or style.
std::string policy_hash(const std::string& content);

}  // namespace nearfar
