"""A pickled SARIMAX result (mlflow's statsmodels flavour takes start and end)."""

from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.tsa.statespace.sarimax import SARIMAX

from tests.wild.case import ask, serve

rng = np.random.default_rng(13)
s = pd.Series(
    np.sin(np.arange(120) / 6) + rng.normal(0, 0.1, 120), index=pd.date_range("2020-01-31", periods=120, freq="ME")
)
r = SARIMAX(s, order=(1, 0, 1)).fit(disp=0)
r.save("sales_forecast.pkl")
Path("rows.json").write_text('[{"steps": 3}]')
ask("two horizons", {"instances": [{"steps": 3}, {"steps": 1}]}, [r.forecast(n).to_numpy() for n in (3, 1)])
serve("sales_forecast.pkl", after="init")
