"""lifelines' CoxPHFitter pickled: predict_partial_hazard, predict_expectation, no predict."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(41)
D = pd.DataFrame({"age": rng.normal(50, 9, 200), "dose": rng.integers(0, 3, 200)})
D["T"] = rng.exponential(np.exp(-0.03 * (D.age - 50) + 0.2 * D.dose) * 10)
D["E"] = rng.random(200) < 0.8
m = CoxPHFitter().fit(D, "T", "E")
Path("cox.pkl").write_bytes(pickle.dumps(m))
X = D[["age", "dose"]]
X.head(5).to_csv("rows.csv", index=False)
ask("hazard", {"instances": rows(X.head(2))}, m.predict_partial_hazard(X.head(2)).to_numpy())
serve("cox.pkl", after="init")
