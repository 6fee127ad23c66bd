"""A GLM formula with a spline, a stateful scale(), a reference level and an interaction."""

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(54)
n = 300
D = pd.DataFrame(
    {"age": rng.uniform(18, 80, n), "kind": rng.choice(["car", "bike", "van"], n), "km": rng.gamma(3, 4, n)}
)
D["claims"] = rng.poisson(np.exp(0.02 * D.age - 1 + 0.3 * (D.kind == "van")))
r = smf.glm("claims ~ bs(age, df=4) + C(kind, Treatment('car')) * scale(km)", D, family=sm.families.Poisson()).fit()
r.save("claims.pickle")
T = D.head(4)[["age", "kind", "km"]]
ask("rows", {"instances": rows(T)}, r.predict(T).to_numpy())
ask("one row alone", {"instances": rows(T)[:1]}, r.predict(T)[:1].to_numpy())
serve("claims.pickle")
