"""serve#409, many threads: a checkpoint from a GPU (storages tagged cuda:0) with DataParallel's module. prefix and optimizer state."""

import collections
from pathlib import Path

import torch

from tests.wild.case import ask, own_code, serve

CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, n_in=3, n_out=2):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_in, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, n_out))

    def forward(self, x):
        return torch.softmax(self.body(x), dim=1)


def make_model():
    return Net()
"""
own = own_code("net.py", CODE)
torch.manual_seed(0)
net = own.make_model()
opt = torch.optim.Adam(net.parameters())
net(torch.zeros(1, 3)).sum().backward()
opt.step()
torch.serialization.register_package(1, lambda s: "cuda:0" if s.device.type == "cpu" else None, lambda *_: None)
state = collections.OrderedDict(("module." + k, v) for k, v in net.state_dict().items())
torch.save(
    {"epoch": 7, "model_state_dict": state, "optimizer_state_dict": opt.state_dict(), "loss": 0.1}, "ckpt_gpu.pth"
)
net.eval()
x = torch.tensor([[1.0, 2, 3], [0, -1, 4]])
ask("rows", {"instances": x.tolist()}, net(x).detach().numpy())
Path("rows.json").write_text("[[1.0, 2.0, 3.0], [0.0, -1.0, 4.0]]")
serve("ckpt_gpu.pth", after="command")
