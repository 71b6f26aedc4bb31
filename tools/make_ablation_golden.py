#!/usr/bin/env python3
"""Makes tests/golden/ablation.json: what statsmodels' analysis of variance says of small designs, balanced and not. Needs numpy, pandas
and statsmodels. Only when cases change: the file is compared with what is committed."""
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

random = np.random.default_rng(26)


def case(name, rows, lines=(), seeds=3):
    """`rows`: levels of each axis. `lines`: axes that enter as a number. Type II sums of squares of the means, and what products in pairs add."""
    levels = np.array(rows)
    names = [f"x{i}" for i in range(levels.shape[1])]
    effects = [random.normal(size=levels[:, i].max() + 1) for i in range(levels.shape[1])]
    truth = sum(effect[levels[:, i]] for i, effect in enumerate(effects)) + 0.4 * levels.prod(axis=1) + 0.2 * random.normal(size=len(rows))
    by_seed = truth[:, None] + 0.3 * random.normal(size=(len(rows), seeds))
    frame = pd.DataFrame(levels, columns=names)
    frame["y"] = by_seed.mean(axis=1)
    terms = [n if i in lines else f"C({n})" for i, n in enumerate(names)]
    main = smf.ols("y ~ " + " + ".join(terms), frame).fit()
    total = ((frame.y - frame.y.mean()) ** 2).sum()
    shares = []
    for term in terms:  # anova_lm's own type II where the design allows it: its F divides by the residual degrees of freedom
        others = [t for t in terms if t != term]
        shares.append((smf.ols("y ~ " + (" + ".join(others) or "1"), frame).fit().ssr - main.ssr) / total)
    if main.df_resid > 0:
        table = anova_lm(main, typ=2)
        np.testing.assert_allclose(table.loc[terms, "sum_sq"] / total, shares, atol=1e-9)
    pairs = [f"{a}:{b}" for a, b in itertools.combinations(terms, 2)]
    both = smf.ols("y ~ " + " + ".join(terms + pairs), frame).fit()
    long = pd.DataFrame({"row": np.repeat(np.arange(len(rows)), seeds), "y": by_seed.ravel()})
    within = smf.ols("y ~ C(row)", long).fit().ssr / ((long.y - long.y.mean()) ** 2).sum()
    return {"name": name, "levels": levels.T.tolist(), "lines": list(lines), "by_seed": by_seed.tolist(), "shares": [float(s) for s in shares],
            "interaction": float((main.ssr - both.ssr) / total), "residual": float(both.ssr / total), "total": float(total), "seeds": float(within)}


grid = list(itertools.product(range(2), range(3), range(2)))
star = [(0, 0, 0)] + [(1, 0, 0), (2, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 2)]
golden = [
    case("a grid of three axes", grid),
    case("a grid of two axes: products explain everything", list(itertools.product(range(3), range(3)))),
    case("a grid with holes", [row for i, row in enumerate(grid) if i not in (1, 4, 11)]),
    case("one change at a time", star),
    case("numbers as lines", [(i, j) for i, j in zip(random.permutation(8), random.permutation(8))], lines=(0, 1), seeds=2),
]
target = Path(__file__).resolve().parent.parent / "tests/golden/ablation.json"
target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print(f"{target}: {target.stat().st_size} bytes")
