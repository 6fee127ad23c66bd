"""geti#774: TorchScript whose weights are bfloat16 and whose answer is bfloat16."""

import torch
from torch import nn

from tests.wild.case import ask, serve

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval().to(torch.bfloat16)
s = torch.jit.trace(net, torch.zeros(1, 3, dtype=torch.bfloat16))
s.save("bf16.pt")
x = torch.tensor([[1.0, 2, 3], [0.5, -1, 4]])
ask("rows", {"instances": x.tolist()}, s(x.to(torch.bfloat16)).float().detach().numpy())
serve("bf16.pt")
