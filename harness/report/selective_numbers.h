#pragma once
/// AURC and AUGRC (metrics/selective.h) of a leaderboard's rows, from stored scores and from what the models' accuracy
/// cells have stored of each image. Pure but for the functions that bring these. Safe from any thread with results of
/// its own.
///
/// Added to LeaderboardRow::selective, by protocol, mean ± population standard deviation over the row's seeds:
///   group id, dataset "test" (fsood: "test+csid")   failure detection: the classifier's mistakes on ID images alone
///   group near or far, dataset "test+near", …       the same images with the group's OOD images, pooled over its sets,
///                                                   each of which is a failure
/// Only rows of which every seed has both get them.
#include "report/leaderboard.h"
#include "report/results.h"
#include "report/score_sides.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// 1 where a model's classifier is right, 0 where it is not, by set ("test", "csid/NAME"), in the order of the scores.
using Correct = std::map<std::string, std::vector<std::uint8_t>, std::less<>>;

struct Evidence {
  Scores scores = {};
  Correct correct = {};
};
/// Either may be empty: nothing is stored.
using EvidenceOf = std::function<Evidence(const ResultSubject& subject)>;

/// `leaderboard` is make_leaderboard(results). Reads one seed at a time. Error(data): scores and marks of different
/// numbers of images.
void add_selective(Leaderboard& leaderboard, const Results& results, const EvidenceOf& evidence);

/// Of one seed alone, by the names above; empty where something is missing.
std::vector<LeaderboardNumber> selective_numbers(const Evidence& evidence, std::string_view protocol);

}  // namespace nearfar
