"""A checkpoint as ultralytics writes it: {'model': DetectionModel (half), 'ema': None, 'train_args': {...}}, class of a package."""

import sys
import types

import torch
from torch import nn

from tests.wild.case import refuse

for name in (
    "ultralytics",
    "ultralytics.nn",
    "ultralytics.nn.tasks",
    "ultralytics.nn.modules",
    "ultralytics.nn.modules.conv",
):
    sys.modules[name] = types.ModuleType(name)


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.act = nn.SiLU()


class DetectionModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(Conv())
        self.names = {0: "cat", 1: "dog"}


Conv.__module__ = "ultralytics.nn.modules.conv"
DetectionModel.__module__ = "ultralytics.nn.tasks"
sys.modules["ultralytics.nn.modules.conv"].Conv = Conv
sys.modules["ultralytics.nn.tasks"].DetectionModel = DetectionModel
torch.save(
    {
        "epoch": -1,
        "model": DetectionModel().half(),
        "ema": None,
        "train_args": {"imgsz": 640, "task": "detect"},
        "date": "2025-01-01",
        "version": "8.3.0",
    },
    "best.pt",
)
refuse("best.pt", "unsafe", "ultralytics.nn.tasks.DetectionModel", "the package ultralytics", "--trust")
