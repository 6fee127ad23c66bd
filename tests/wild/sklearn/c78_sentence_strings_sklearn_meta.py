"""Numbers that arrive as texts ('5.1') as web forms send them: refused with the column's name."""

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from tests.wild.case import ask, serve

d = load_iris(as_frame=True)
m = LogisticRegression(max_iter=500).fit(d.data, d.target_names[d.target])
joblib.dump(m, "iris_forms.joblib")
ask("texts for numbers", {"instances": [["5.1", "3.5", "1.4", "0.2"]]}, status=400)
ask(
    "rows in another order of keys",
    {"instances": [dict(reversed(list(r.items()))) for r in d.data.head(2).to_dict("records")]},
    ["setosa", "setosa"],
)
ask("DataFrame.to_dict() of one row", {"instances": d.data.head(1).to_dict("records")}, ["setosa"])
ask("bare list at the top", [[5.1, 3.5, 1.4, 0.2]], status=400)
ask(
    "dataframe_split on /invocations",
    {"dataframe_split": {"columns": list(d.data.columns), "data": d.data.head(1).values.tolist()}},
    ["setosa"],
    path="/invocations",
)
serve("iris_forms.joblib")
