"""Networks: shapes, heads, published sizes, and what is refused."""

import pytest
import torch

from nclib import models

DIGITS, CIFAR = (1, 8, 8), (3, 32, 32)


@pytest.mark.parametrize(
    ("name", "shape"), [("mlp", DIGITS), ("mlp", CIFAR), ("convnet", CIFAR), ("resnet18", CIFAR)]
)
def test_a_network_gives_features_and_the_head_applied_to_them(name, shape):
    network = models.build(name, shape, 10, width=4, feature_dim=6).eval()
    features, scores = network(torch.randn(3, *shape))
    assert features.shape == (3, 6)
    torch.testing.assert_close(scores, features @ network.head.weight.T + network.head.bias)


def test_linear_features_have_both_signs_and_relu_features_do_not():
    images = torch.randn(64, *DIGITS)
    signed, _ = models.build("mlp", DIGITS, 10, width=16, feature_dim=8)(images)
    nonnegative, _ = models.build("mlp", DIGITS, 10, width=16, feature_dim=8, feature_layer="relu")(
        images
    )
    assert signed.min() < 0 < signed.max()
    assert nonnegative.min() == 0
    assert nonnegative.max() > 0


def test_a_head_without_bias_has_none():
    assert models.build("mlp", DIGITS, 10, width=4, feature_dim=4, bias=False).head.bias is None


def test_resnet18_has_the_published_number_of_parameters():
    network = models.build("resnet18", CIFAR, 10, width=64, feature_dim=512)
    # 11,173,962 with a head of 5,130 is the usual count for ResNet-18 with the CIFAR stem.
    assert sum(p.numel() for p in network.trunk.parameters()) == 11_173_962 - 5_130


def test_resnet18_keeps_the_resolution_in_its_stem():
    network = models.build("resnet18", CIFAR, 10, width=64, feature_dim=4)
    stem = network.trunk.maxpool(network.trunk.conv1(torch.randn(1, *CIFAR)))
    assert stem.shape == (1, 64, 32, 32)


def test_unknown_model_lists_near_matches():
    with pytest.raises(ValueError, match=r"'resnet81'.*resnet18"):
        models.build("resnet81", CIFAR, 10, width=4, feature_dim=4)


def test_small_images_are_refused_by_convolutional_networks():
    with pytest.raises(ValueError, match=r"'convnet'.*32×32, got 8×8"):
        models.build("convnet", DIGITS, 10, width=4, feature_dim=4)
