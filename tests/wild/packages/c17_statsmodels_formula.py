"""statsmodels#1263: OLS with C(), np.log and I() in the formula, saved with results.save."""

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(11)
n = 200
D = pd.DataFrame(
    {"sqm": rng.uniform(30, 200, n), "area": rng.choice(["a", "b", "c"], n), "age": rng.integers(0, 90, n)}
)
D["price"] = 50 * np.log(D.sqm) + (D.area == "b") * 20 - 0.01 * D.age**2 + rng.normal(0, 1, n)
r = smf.ols("price ~ np.log(sqm) + C(area) + I(age**2)", D).fit()
r.save("price.pickle")
T = pd.DataFrame({"sqm": [50.0, 120.0], "area": ["b", "c"], "age": [10, 70]})
ask("rows", {"instances": rows(T)}, r.predict(T).to_numpy())
ask("unknown level", {"instances": [{"sqm": 50, "area": "zz", "age": 3}]}, status=400)
serve("price.pickle")
