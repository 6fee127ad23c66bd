"""A pickled SARIMAX result (mlflow's statsmodels flavour takes start and end)."""

import numpy as np
import pandas as pd
from statsmodels.tsa.statespace.sarimax import SARIMAX

from tests.wild.case import serve

rng = np.random.default_rng(13)
s = pd.Series(
    np.sin(np.arange(120) / 6) + rng.normal(0, 0.1, 120), index=pd.date_range("2020-01-31", periods=120, freq="ME")
)
r = SARIMAX(s, order=(1, 0, 1)).fit(disp=0)
r.save("sales_forecast.pkl")
serve("sales_forecast.pkl", after="init")
