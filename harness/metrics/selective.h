#pragma once
/// How well scores find the images on which a classifier fails, if the least sure ones are left out. Pure, safe from
/// any thread. Confidence is minus the score: images with the lowest scores are kept first. Fractions; papers often
/// print them times 1000. Lower is better.
///
/// With n images, of which the k surest are kept (coverage k / n) and e(k) of these fail:
///   AURC  = mean over k = 1 … n of e(k) / k    area under risk and coverage: Geifman and El-Yaniv (2017), "Selective
///           classification for deep neural networks", with Geifman, Uziel and El-Yaniv (2019)
///   AUGRC = area under e(k) / n over k / n, by trapezoids    Traub et al. (2024), arXiv:2407.01032; it is
///           (1 - a) a (1 - A) + (1 - a)² / 2 with the accuracy a and the AUROC A of the scores for failures
/// Images of one score are kept in any order: e(k) is its mean over these orders, so that no value depends on the order
/// of the images.
#include <cstddef>
#include <cstdint>
#include <span>

namespace nearfar {

struct SelectiveRisk {
  std::size_t images = 0, failures = 0;
  double aurc = 0, augrc = 0;
};

/// Failure detection on ID images: `correct` is 1 where the classifier is right, 0 where it is not. O(n log n).
/// Error(data): no images, lengths that differ, a NaN or an infinity among the scores, another number than 0 and 1.
SelectiveRisk selective_risk(std::span<const double> scores, std::span<const std::uint8_t> correct);

/// The same where OOD images come along, each of them a failure, as no class is right for it (Jaeger et al. 2023,
/// arXiv:2211.15259, new-class shift). Images count as they come: the value depends on how many OOD images there are.
/// `ood` may be empty.
SelectiveRisk selective_risk(std::span<const double> scores, std::span<const std::uint8_t> correct,
                             std::span<const double> ood);

}  // namespace nearfar
