"""Trains the iris classifier, and writes the question and the answer that its container must repeat."""

import json
import pickle
from pathlib import Path

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent

data = load_iris(as_frame=True)
species = data.target_names[data.target]
train_x, test_x, train_y, test_y = train_test_split(data.data, species, test_size=0.2, random_state=0, stratify=species)
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(train_x, train_y)

rows = test_x.head(10)
(HERE / "model.pkl").write_bytes(pickle.dumps(model))
(HERE / "request.json").write_text(json.dumps({"instances": rows.to_dict("records")}, indent=1) + "\n")
(HERE / "expected.json").write_text(json.dumps({"predictions": model.predict(rows).tolist()}, indent=1) + "\n")
print(f"accuracy {model.score(test_x, test_y):.2f}, wrote model.pkl, request.json, expected.json")
