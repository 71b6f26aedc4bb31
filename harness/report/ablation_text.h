#pragma once
/// Private to report/: sentences that the forms of an ablation share. Plain text, percent points. Pure functions.
#include "report/ablation.h"

#include <string>
#include <vector>

namespace nearfar {

/// "fashion-mnist, protocol ood: reweightood/resnet8 knn", or "…: methods, each at its baseline".
std::string panel_title(const AblationPanel& panel);
/// "train.lr 0.1 → 0.05".
std::string change_text(const AblationPanel& panel, const AblationEffect& effect);
/// "near AUROC falls by 1.30 points [−2.10, −0.50], real (p = 0.004, Holm; 3 seeds)", or that none could be shown; with
/// one seed, what that means.
std::string effect_text(const Ablation& ablation, const AblationEffect& effect);
/// "real: better", "real: worse", "not shown".
std::string verdict_text(const Ablation& ablation, const AblationEffect& effect);
/// "train.lr 0.1, train.epochs 3 (from the sweep): near AUROC 93.20 ± 0.12, far AUROC 97.10 ± 0.03; seeds 0, 1, 2".
std::string baseline_text(const Ablation& ablation, const AblationPanel& panel);
/// "train.lr (0.05, 0.1); train.epochs (3, 6)".
std::string swept_text(const AblationPanel& panel);
/// "near AUROC: train.lr 70 %, train.epochs 20 %; their interactions 8 %, the rest 2 %. Seeds: 12 % of …".
std::string importance_text(const Ablation& ablation, const AblationPanel& panel, const AblationImportance& importance);
/// How to read all of it: intervals, Holm, importance, what a deviation is.
std::vector<std::string> reading_notes(const Ablation& ablation);

/// "93.21 ± 0.12", without the deviation for one seed; "–" for none.
std::string number_text_of(const std::optional<MeanStd>& number);
/// "+1.30", "−0.20": percent points with a sign.
std::string points_text(double fraction);
/// "[−2.10, −0.50]".
std::string interval_text(const Difference& difference);
/// "< 0.001", "0.004".
std::string probability_text(double p);

}  // namespace nearfar
