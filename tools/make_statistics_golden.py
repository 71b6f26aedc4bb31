#!/usr/bin/env python3
"""Makes tests/golden/statistics.json: what scipy, scikit-posthocs, scikit-learn, and sums by the definition, say of small inputs. Needs
numpy, scipy, scikit-posthocs and scikit-learn.
Only when cases change: the file is compared with what is committed."""
import itertools
import json
from pathlib import Path

import numpy as np
import scikit_posthocs
from scipy import stats
from sklearn.metrics import roc_auc_score

random = np.random.default_rng(7)


def auroc_case(n_id, sets, decimals):
    """Two methods on the same images; ties by rounding. The parts by their definition, pair by pair."""
    quality = random.normal(size=n_id), [random.normal(size=n) for n in sets]
    score = lambda base, shift, noise: np.round(base + shift + noise * random.normal(size=base.size), decimals)
    methods = []
    for shift, noise in ((1.0, 1.0), (1.4, 0.8)):
        methods.append((score(quality[0], 0.0, noise), [score(base, shift, noise) for base in quality[1]]))
    parts = []
    for id_, ood in methods:
        wins = [(o[None, :] > id_[:, None]) + 0.5 * (o[None, :] == id_[:, None]) for o in ood]
        parts.append((np.mean([w.mean(1) for w in wins], axis=0), [w.mean(0) / len(ood) for w in wins], np.mean([w.mean() for w in wins])))
    variance = lambda id_, ood: id_.var(ddof=1) / id_.size + sum(o.var(ddof=1) / o.size for o in ood)
    (id_a, ood_a, auroc_a), (id_b, ood_b, auroc_b) = parts
    return {"id": [m[0].tolist() for m in methods], "ood": [[o.tolist() for o in m[1]] for m in methods], "auroc": [auroc_a, auroc_b],
            "variance": [variance(id_a, ood_a), variance(id_b, ood_b)], "difference_variance": variance(id_b - id_a, [b - a for a, b in zip(ood_a, ood_b)])}


def t_case(n, alpha):
    a, b = random.normal(size=n), random.normal(size=n) + 0.7
    test = stats.ttest_rel(b, a)
    interval = test.confidence_interval(1 - alpha)
    return {"differences": (b - a).tolist(), "alpha": alpha, "estimate": float((b - a).mean()), "low": float(interval.low), "high": float(interval.high), "p": float(test.pvalue)}


def wilcoxon_case(values):
    values = np.asarray(values)
    kept = values[values != 0]
    tied = np.unique(np.abs(kept)).size < kept.size and kept.size <= 50  # all signs are tried then
    test = stats.wilcoxon(kept, correction=False, method=stats.PermutationMethod(n_resamples=np.inf) if tied else "exact" if kept.size <= 50 else "asymptotic")
    ranks = stats.rankdata(np.abs(kept))
    return {"differences": values.tolist(), "w": float(ranks[kept > 0].sum()), "p": float(test.pvalue)}


def holm(p):
    order, adjusted, highest = np.argsort(p), np.empty(len(p)), 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - place) * p[i]))
        adjusted[i] = highest
    return adjusted


def friedman_case(methods, sets, decimals):
    """Higher is better, so ranks are of the negated values. Conover by scikit-posthocs, the rest by scipy."""
    values = np.round(random.normal(size=(methods, sets)) + np.linspace(1.5, 0, methods)[:, None], decimals)
    chi = stats.friedmanchisquare(*-values) if methods > 2 else None
    ranks = np.apply_along_axis(stats.rankdata, 0, -values)
    t1 = chi.statistic
    f = (sets - 1) * t1 / (sets * (methods - 1) - t1)
    conover = scikit_posthocs.posthoc_conover_friedman(-values.T, p_adjust="holm").to_numpy()
    pairs = list(itertools.combinations(range(methods), 2))
    wilcoxon = np.ones((methods, methods))
    for (a, b), p in zip(pairs, holm([wilcoxon_case(values[a] - values[b])["p"] for a, b in pairs])):
        wilcoxon[a, b] = wilcoxon[b, a] = p
    return {"values": values.tolist(), "mean_ranks": ranks.mean(1).tolist(), "chi_square": t1, "chi_square_p": chi.pvalue, "f": f,
            "f_p": stats.f.sf(f, methods - 1, (methods - 1) * (sets - 1)), "conover_holm": conover.tolist(), "wilcoxon_holm": wilcoxon.tolist()}


def areas(failed):
    """AURC and AUGRC of failures in the order in which images are kept."""
    n = len(failed)
    total = np.cumsum(failed)
    return np.mean(total / np.arange(1, n + 1)), np.trapezoid(np.concatenate([[0], total / n]), dx=1 / n)


def selective_case(n, decimals):
    """Ties: the mean over all orders of the images, where they are few; else there are none."""
    correct = random.integers(0, 4, size=n) > 0
    scores = np.round(random.normal(size=n) - correct, decimals)
    if n <= 7:
        orders = [np.array(order) for order in itertools.permutations(range(n)) if (np.diff(scores[list(order)]) >= 0).all()]
    else:
        assert np.unique(scores).size == n
        orders = [np.argsort(scores)]
    aurc, augrc = np.mean([areas(~correct[order]) for order in orders], axis=0)
    if 0 < correct.sum() < n:  # the identity of arXiv:2407.01032
        a = correct.mean()
        assert abs(augrc - ((1 - a) * a * (1 - roc_auc_score(~correct, scores)) + (1 - a) ** 2 / 2)) < 1e-12
    return {"scores": scores.tolist(), "correct": correct.astype(int).tolist(), "aurc": aurc, "augrc": augrc}


golden = {
    "auroc": [auroc_case(40, [25], 6), auroc_case(30, [20, 35, 11], 1), auroc_case(2, [2], 0)],
    "t": [t_case(2, 0.05), t_case(3, 0.05), t_case(10, 0.01)],
    "wilcoxon": [wilcoxon_case(v) for v in (random.normal(size=6) + 1, random.normal(size=12), random.normal(size=50) + 0.3, random.normal(size=51) + 0.3,
                                             np.round(random.normal(size=16) + 0.5, 0), np.round(random.normal(size=90) + 0.3, 1), [0.0, 1.0, 2.0, -1.0, 4.0, 3.5, 2.5])],
    "normal": {"estimate": 0.02, "variance": 0.0001, "low": 0.02 - 0.01 * stats.norm.ppf(0.975), "high": 0.02 + 0.01 * stats.norm.ppf(0.975), "p": 2 * stats.norm.sf(2.0)},
    "friedman": [friedman_case(3, 6, 6), friedman_case(5, 9, 6), friedman_case(4, 7, 0), friedman_case(12, 8, 1)],
    "selective": [selective_case(7, 0), selective_case(6, 0), selective_case(7, 1), selective_case(100, 9)],
}
target = Path(__file__).resolve().parent.parent / "tests/golden/statistics.json"
target.write_text(json.dumps(golden, indent=None, separators=(",", ":")) + "\n")
print(f"{target}: {target.stat().st_size} bytes")
