"""TorchScript that takes List[str] and answers dictionaries (a tokenizer inside the model)."""

import torch
from torch import nn

from tests.wild.case import ask, serve


class Bag(nn.Module):
    vocab: dict[str, int]

    def __init__(self):
        super().__init__()
        self.vocab = {"good": 1, "bad": 2}
        self.emb = nn.EmbeddingBag(3, 2, mode="mean")

    def forward(self, texts: list[str]) -> torch.Tensor:
        """One vector for each text."""
        rows: list[torch.Tensor] = []
        for t in texts:
            ids = [
                self.vocab[w] if w in self.vocab else 0  # noqa: SIM401 - TorchScript has no dict.get
                for w in t.lower().split(" ")
            ]
            rows.append(self.emb(torch.tensor([ids])))
        return torch.cat(rows)


torch.manual_seed(0)
m = torch.jit.script(Bag().eval())
m.save("bag.pt")
T = ["good day", "bad bad", "neither"]
ask("texts", {"instances": T}, m(T).detach().numpy())
serve("bag.pt")
