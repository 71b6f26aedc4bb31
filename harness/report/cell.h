#pragma once
/// One evaluation by itself: its figures, the images it was most wrong about, and its page. Pure but for the template.
#include "plot/figure.h"
#include "report/score_sides.h"
#include "store/results.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

/// By its position in the set, as the score files have it.
struct ConfusedImage {
  std::string set = {};
  std::int64_t position = 0;
  double score = 0;
  std::string where = {};    ///< the file, where it is known
  std::string picture = {};  ///< data URI, "" = none
};

/// `in`: images of the ID test set with the highest scores, highest first. `out`: images of near and far sets with the
/// lowest, lowest first. Equal scores in the order of sets and images.
struct MostConfused {
  std::vector<ConfusedImage> in = {}, out = {};
};
MostConfused most_confused(const Scores& scores, std::size_t count);

/// "roc" (every near and far set under the protocol ood), "scores", and for a trained model its curves "training-loss"
/// and "training-accuracy"; what there is. Error(data): scores that cannot be ranked.
std::vector<plot::Figure> cell_figures(const CellStatus& cell, const Scores& scores,
                                       const std::vector<CurvePoint>& curves, bool log_fpr);

struct CellPage {
  CellDetails details = {};
  std::string flags = {};      ///< of cell and run
  std::string reproduce = {};  ///< the command that makes it again; "" = not known
  std::vector<plot::Figure> figures = {};
  MostConfused confused = {};
  std::vector<std::string> notes = {};  ///< what is not there, and why
};

/// One file that needs nothing else: cell.html.mustache with leaderboard.css of `templates`. Error(data) if one cannot
/// be read, Error(config) if the template does not parse.
std::string cell_html(const CellPage& page, const std::filesystem::path& templates);

}  // namespace nearfar
