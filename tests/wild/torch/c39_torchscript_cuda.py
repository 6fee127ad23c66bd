"""djl#2474, pytorch#71402: a traced model with cuda:0 written into its code and its storages."""

import io
import zipfile

import torch
from torch import nn

from tests.wild.case import refuse


class Pos(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 2)

    def forward(self, x):
        """A number of its own for each column, on the device of the input."""
        return self.lin(x + torch.arange(3, device=x.device, dtype=torch.float32))


torch.manual_seed(0)
m = Pos().eval()
s = torch.jit.trace(m, torch.zeros(2, 3))
buf = io.BytesIO()
torch.jit.save(s, buf)
src = zipfile.ZipFile(buf)
with zipfile.ZipFile("pos_gpu.pt", "w", zipfile.ZIP_STORED) as dst:
    for info in src.infolist():
        data = src.read(info)
        if info.filename.endswith(".py"):
            data = data.replace(b'torch.device("cpu")', b'torch.device("cuda:0")')
        if info.filename.endswith("data.pkl"):
            data = data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
        dst.writestr(info.filename, data)
refuse("pos_gpu.pt", "check_failed", "its code names cuda", "Trace it on the CPU")
