"""A torch Sequential dumped with joblib because that is what the sklearn code beside it did."""

import joblib
import torch
from torch import nn

from tests.wild.case import refuse

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)).eval()
joblib.dump(net, "net.joblib")
refuse("net.joblib", "unknown_format", "torch.nn.modules.container.Sequential", "torch.save(model, 'model.pt')")
