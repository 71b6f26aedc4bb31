#pragma once
/// The stored scores of a result as the two sides of a protocol. Pure functions, safe from any thread.
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct ResultSubject;

/// Scores of a result by the name of the set ("test", "near/NAME", …), in the order of the images.
using Scores = std::map<std::string, std::vector<double>, std::less<>>;
/// `side`: 0, or of two databases that are compared 0 = A, 1 = B. Throws Error where they are not to be had.
using ScoresOf = std::function<Scores(int side, const ResultSubject& subject)>;

struct ScoreSides {
  std::vector<double> id;  ///< test images; under fsood the covariate-shifted ones after them
  Scores ood;              ///< the other sets, by "near/NAME"
};

ScoreSides score_sides(Scores scores, std::string_view protocol);

}  // namespace nearfar
