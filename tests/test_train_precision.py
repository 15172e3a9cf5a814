"""bfloat16 rounded from float32: what its products are, and that it is what autocast gives."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from nclib import models
from nclib.runs import RunConfig
from nclib.train import _precision, fit

ROUNDOFF = 2.0**-8  # of bfloat16, to nearest: its significand has 8 bits
SUMMED = 2.0**-24  # of float32


def drawn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def products(function, operands, gradient, context):
    """Result and gradients, in float64, of one product under some autocast."""
    operands = [operand.clone().requires_grad_() for operand in operands]
    with context:
        result = function(*operands)
    assert result.dtype == gradient.dtype
    result.backward(gradient)
    return [tensor.detach().double() for tensor in (result, *(o.grad for o in operands))]


PRODUCTS = {
    "convolution": (functional.conv2d, (5, 3, 3, 3), (4, 3, 9, 9), False),
    "stride, padding and bias": (
        partial(functional.conv2d, stride=2, padding=1),
        (6, 4, 3, 3),
        (3, 4, 8, 8),
        True,
    ),
    "linear": (functional.linear, (7, 12), (5, 12), True),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_rounds_its_operands_and_its_exact_value_once(name):
    function, weight, inputs, bias = PRODUCTS[name]
    operands = [drawn(*inputs, seed=1), drawn(*weight, seed=2)]
    operands += [drawn(weight[0], seed=3)] if bias else []
    exact = [operand.bfloat16().double() for operand in operands]
    gradient = drawn(*function(*exact).shape, seed=4).bfloat16()
    found = products(function, operands, gradient, _precision.rounded())
    off = torch.autocast("cpu", enabled=False)
    expected = products(function, exact, gradient.double(), off)
    sizes = products(function, [o.abs() for o in exact], gradient.double().abs(), off)
    # More terms than any of the sums has.
    terms = sum(operand.numel() for operand in operands) + gradient.numel()
    for ours, true, size in zip(found, expected, sizes, strict=True):
        error = terms * SUMMED * size
        assert ((ours - true).abs() <= ROUNDOFF * (true.abs() + error) + error).all()
        assert (ours != true).any()


class Tiny(nn.Module):
    """A residual network; see below why its second convolution is 1×1."""

    def __init__(self, head):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 1)
        self.bn2 = nn.BatchNorm2d(8)
        self.linear = nn.Linear(8, 12)
        self.head = models.HEADS[head](12, 10, True)

    def forward(self, images):
        shortcut = functional.relu_(self.bn1(self.conv1(images)))
        out = self.bn2(self.conv2(shortcut))
        out += shortcut
        features = self.linear(functional.adaptive_avg_pool2d(functional.relu_(out), 1).flatten(1))
        return features, self.head(features)


def passed(network, images, context):
    """Features, scores, and the gradient of every parameter."""
    network = copy.deepcopy(network)
    with context:
        features, scores = network(images)[:2]
    loss = functional.cross_entropy(scores.float(), torch.tensor([3]))
    (loss + features.float().square().sum()).backward()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    # Batch norm takes this bias away, so its gradient is rounding alone.
    del gradients["conv2.bias"]
    return {"features": features.detach(), "scores": scores.detach(), **gradients}


@pytest.mark.parametrize("head", ["linear", "cosine"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_network_gives_what_autocast_gives_and_not_what_float32_does(head, seed):
    """One image, and a 1×1 convolution where the gradient goes on below.

    Without bfloat16 instructions PyTorch rounds a weight's gradient after each image and an image's
    after each position of the kernel; with them, as here, once.
    """
    torch.manual_seed(seed)
    network = Tiny(head)
    images = torch.randn(1, 3, 8, 8)
    ours = passed(network, images, _precision.rounded())
    autocast = passed(network, images, torch.autocast("cpu", torch.bfloat16))
    exact = passed(network, images, torch.autocast("cpu", enabled=False))
    assert ours["features"].dtype == torch.bfloat16
    for name, tensor in autocast.items():
        assert ours[name].dtype == tensor.dtype
        # Sums in another order can turn one rounding, and that one which follows it.
        bound = 2 * 2 * ROUNDOFF * tensor.abs().max()
        assert (ours[name].float() - tensor.float()).abs().max() <= bound
        assert (ours[name].float() != exact[name].float()).float().mean() > 0.5
    if head == "cosine":  # which switches autocast off
        assert ours["scores"].dtype == torch.float32
        assert (ours["scores"] != ours["scores"].bfloat16()).any()


def test_nothing_is_rounded_where_autocast_is_off():
    weight, inputs = drawn(3, 4, seed=0), drawn(2, 4, seed=1)
    with _precision.RoundedProducts():
        assert torch.equal(functional.linear(inputs, weight), inputs @ weight.T)


@pytest.mark.parametrize("accelerated", [False, True])
def test_a_record_says_where_bfloat16_was_rounded_float32(monkeypatch, accelerated):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: accelerated)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: accelerated)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    fields = {"paper": "x", "profile": "smoke", "dataset": "digits", "per_class": 5, "epochs": 1}
    run = RunConfig.model_validate({**fields, "precision": "bf16-mixed"})
    told = fit(run).provenance
    assert ("bf16" in told) != accelerated
    assert told.get("bf16") in (None, "rounded float32")
    assert "bf16" not in fit(run.replace(precision="32-true")).provenance
