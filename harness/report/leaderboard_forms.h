#pragma once
/// The forms of a leaderboard. Pure functions that all show the same Leaderboard, safe from any thread.
#include "plot/figure.h"
#include "report/leaderboard.h"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// Tidy rows, one number each, percent with four decimals, no times: two equal experiments give equal bytes. Columns:
/// training,postprocessor,architecture,benchmark,protocol,group,dataset,metric,mean,std,seeds,
/// recipe,training_params,postprocessor_params,flags
/// `seeds` is their number. Quoted as RFC 4180, lines end with LF, rows sorted by name. Parameters name the factors
/// that tell rows apart (select.h) only where rows would else have one name.
std::string leaderboard_csv(const Leaderboard& leaderboard);
/// Of the document below. Members are added without a new one; it counts up where one changes its meaning or goes.
inline constexpr int kLeaderboardJsonVersion = 1;
/// One document: boards, rows with all numbers (fractions), gaps, provenance; as
/// reports/schemas/leaderboard-1.schema.json says.
std::string leaderboard_json(const Leaderboard& leaderboard);
/// One GitHub table per board.
std::string leaderboard_markdown(const Leaderboard& leaderboard);
/// One table per board for \input, with booktabs and siunitx (version 3): means over near and far sets. Names are plain
/// text whatever they hold; the best is bold, the second underlined, where that is real; rows without a rank stand
/// below a line, the reason and footnotes in comments.
std::string leaderboard_latex(const Leaderboard& leaderboard);
/// One table per board for a terminal of `width` columns (0: no limit), percent with two decimals. What has no room is
/// left out, and named.
std::string leaderboard_text(const Leaderboard& leaderboard, std::size_t width = 0);
/// One file that asks nothing of anywhere: leaderboard.html.mustache, .css and the leaderboard*.js of `templates`
/// filled in; its policy lets no other script run. `figures`: of each board, in their order, shown below its table.
/// Error(data) if a file cannot be read, Error(config) if the template does not parse.
std::string leaderboard_html(const Leaderboard& leaderboard, const std::filesystem::path& templates,
                             std::span<const std::vector<plot::Figure>> figures = {});

}  // namespace nearfar
