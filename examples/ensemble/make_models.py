"""Trains classifiers of handwritten digits in three frameworks, and compares them with their ensemble on held-out images."""

import json
import pickle
from pathlib import Path

import lightgbm
import numpy as np
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

HERE = Path(__file__).parent
WEIGHTS = (1, 1, 1)  # as in ensemble.yaml

x, y = load_digits(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=0.5, random_state=0, stratify=y)

# scikit-learn: a pickle
kernel = make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(), ensemble=False)).fit(train_x, train_y)
(HERE / "kernel.pkl").write_bytes(pickle.dumps(kernel))

# LightGBM: its own text file, which has no class labels (ensemble.yaml names them)
settings = {
    "objective": "multiclass",
    "num_class": 10,
    "num_threads": 1,
    "seed": 0,
    "verbose": -1,
    "learning_rate": 0.1,
}
boosted = lightgbm.train(settings, lightgbm.Dataset(train_x, train_y), num_boost_round=60)
boosted.save_model(HERE / "boosted.txt")

# ONNX: a small neural network
network = make_pipeline(StandardScaler(with_mean=False), MLPClassifier((32,), alpha=1, max_iter=1000, random_state=0))
network.fit(train_x, train_y)
graph = to_onnx(network, train_x[:1].astype(np.float32), options={"zipmap": False})
(HERE / "network.onnx").write_bytes(graph.SerializeToString())

votes = [kernel.predict_proba(test_x), boosted.predict(test_x), network.predict_proba(test_x)]
answers = {
    "kernel (scikit-learn)": kernel.classes_[votes[0].argmax(axis=1)],
    "boosted (LightGBM)": votes[1].argmax(axis=1),
    "network (ONNX)": votes[2].argmax(axis=1),
    "ensemble": np.average(votes, axis=0, weights=WEIGHTS).argmax(axis=1),
}
for name, labels in answers.items():
    print(f"{name:<22} {100 * (labels == test_y).mean():.2f} % of {len(test_y)} held-out images are right")
(HERE / "request.json").write_text(json.dumps({"instances": test_x[:10].tolist()}) + "\n")
(HERE / "expected.json").write_text(json.dumps({"predictions": answers["ensemble"][:10].tolist()}) + "\n")
