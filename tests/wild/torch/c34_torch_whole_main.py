"""BentoML#612: torch.save(model) of a class in __main__, forward of two inputs, dictionary out."""

from pathlib import Path

import torch

from tests.wild.case import ask, own_code, serve

CODE = """
import torch
from torch import nn


class Ranker(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(10, 4)
        self.item = nn.Embedding(20, 4)

    def forward(self, user_id, item_id):
        u, i = self.user(user_id), self.item(item_id)
        return {"score": (u * i).sum(-1), "user_vec": u}
"""
own = own_code("train.py", CODE)
torch.manual_seed(0)
m = own.Ranker()
torch.save(m, "ranker.pt")
u, i = torch.tensor([1, 2]), torch.tensor([7, 8])
o = m(u, i)
Path("rows.json").write_text('[{"user_id": 1, "item_id": 7}, {"user_id": 2, "item_id": 8}]')
ask(
    "records",
    {"instances": [{"user_id": 1, "item_id": 7}, {"user_id": 2, "item_id": 8}]},
    [{"score": s, "user_vec": v} for s, v in zip(o["score"].tolist(), o["user_vec"].tolist(), strict=True)],
)
serve("ranker.pt", after="command")
