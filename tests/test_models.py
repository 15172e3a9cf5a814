"""Networks and heads: shapes, published sizes, starting points, and what is refused."""

import math

import pytest
import torch
import torchvision
from torch import nn

from nclib import models
from nclib.models._networks import _bottlenecks
from nclib.models._resnet import Block

DIGITS, CIFAR = (1, 8, 8), (3, 32, 32)


@pytest.mark.parametrize(
    ("name", "shape", "width"),
    [("mlp", DIGITS, 4), ("mlp", CIFAR, 4), ("convnet", CIFAR, 4), ("resnet18", CIFAR, 64)],
)
def test_a_network_gives_features_and_the_head_applied_to_them(name, shape, width):
    network = models.build(name, shape, 10, width=width, feature_dim=6).eval()
    features, scores = network(torch.randn(3, *shape))[:2]
    assert features.shape == (3, 6)
    torch.testing.assert_close(scores, features @ network.head.weight.T + network.head.bias)


def test_linear_features_have_both_signs_and_relu_features_do_not():
    images = torch.randn(64, *DIGITS)
    signed, nonnegative = (
        models.build("mlp", DIGITS, 10, width=16, feature_dim=8, feature_layer=layer)(
            images
        ).features
        for layer in ("linear", "relu")
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


@pytest.mark.parametrize("name", ["resnet18", "resnext50"])
def test_a_published_width_is_the_only_one(name):
    with pytest.raises(ValueError, match=f"width is 16, but model '{name}' has .* width of 64"):
        models.build(name, CIFAR, 10, width=16, feature_dim=4)


def test_unknown_model_lists_near_matches():
    with pytest.raises(ValueError, match=r"'resnet81'.*resnet18"):
        models.build("resnet81", CIFAR, 10, width=4, feature_dim=4)


def test_small_images_are_refused_by_convolutional_networks():
    with pytest.raises(ValueError, match=r"'convnet'.*32×32, got 8×8"):
        models.build("convnet", DIGITS, 10, width=4, feature_dim=4)


# ResNet-32 and the other networks whose own features are measured.


@pytest.mark.parametrize(
    ("name", "width", "dim"), [("resnet32", 16, 64), ("resnet18", 64, 512), ("mlp", 20, 20)]
)
def test_native_features_are_the_trunks_own(name, width, dim):
    network = models.build(name, CIFAR, 10, width=width, feature_layer="native").eval()
    images = torch.randn(2, *CIFAR)
    features, scores = network(images)[:2]
    assert features.shape == (2, dim) == (2, models.native_dim(name, CIFAR, width))
    assert features.min() >= 0
    torch.testing.assert_close(features, network.trunk(images))
    torch.testing.assert_close(scores, features @ network.head.weight.T)  # the bias starts at 0


def test_resnext50_is_torchvisions():
    network = models.build("resnext50", (3, 224, 224), 1000, width=64, feature_layer="native")
    assert sum(p.numel() for p in network.parameters()) == 25_028_904
    features, scores = network.eval()(torch.randn(1, 3, 64, 64))[:2]
    assert features.shape == (1, 2048) == (1, models.native_dim("resnext50", CIFAR, 64))
    assert scores.shape == (1, 1000)


@pytest.mark.parametrize(
    ("num_classes", "width", "expected"), [(10, 16, 464_154), (100, 16, 470_004)]
)
def test_resnet32_has_the_published_number_of_parameters(num_classes, width, expected):
    network = models.build("resnet32", CIFAR, num_classes, width=width, feature_layer="native")
    assert sum(p.numel() for p in network.parameters()) == expected


def test_resnet32_of_twice_the_width_has_room_for_an_etf_of_100_classes():
    network = models.build("resnet32", CIFAR, 100, width=32, feature_layer="native", head="etf")
    assert network(torch.randn(2, *CIFAR))[0].shape == (2, 128)


def test_resnet32_has_31_convolutions_of_three_widths_and_no_projection_in_its_shortcuts():
    network = models.build("resnet32", CIFAR, 10, width=16, feature_layer="native")
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [16] * 11 + [32] * 10 + [64] * 10
    assert {m.kernel_size for m in convolutions} == {(3, 3)}
    assert sum(m.stride == (2, 2) for m in convolutions) == 2


def test_resnet32_starts_from_kaimings_normal_distribution():
    torch.manual_seed(0)
    network = models.build("resnet32", CIFAR, 10, width=16, feature_layer="native")
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            weights, fan_in = module.weight.detach(), 9 * module.in_channels
            spread = (2 / fan_in) ** 0.5
            assert weights.std() == pytest.approx(spread, rel=6 / (2 * weights.numel()) ** 0.5)
            assert abs(weights.mean()) < 6 * spread / weights.numel() ** 0.5
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(4, 4, 1), (4, 8, 2)])
def test_the_shortcut_subsamples_and_pads_with_zeros(inputs, outputs, stride):
    block = Block(inputs, outputs, stride).eval()
    nn.init.zeros_(block.bn2.weight)  # only the shortcut is left
    images = torch.rand(2, inputs, 6, 6)
    expected = torch.zeros(2, outputs, 6 // stride, 6 // stride)
    before = (outputs - inputs) // 2
    for channel in range(inputs):
        for row in range(6 // stride):
            for column in range(6 // stride):
                pixel = images[:, channel, stride * row, stride * column]
                expected[:, before + channel, row, column] = pixel
    assert torch.equal(block(images), expected)


def test_channels_last_stays_so_through_a_shortcut_that_changes_shape():
    images = torch.rand(2, 4, 6, 6).to(memory_format=torch.channels_last)
    block = Block(4, 8, 2).eval().to(memory_format=torch.channels_last)
    assert block(images).is_contiguous(memory_format=torch.channels_last)


def test_a_block_in_evaluation_is_its_convolutions_and_batch_norms_one_after_the_other():
    torch.manual_seed(0)
    block = Block(4, 4, 1).double()
    for norm in (block.bn1, block.bn2):
        norm.running_mean.normal_()
        norm.running_var.exponential_()
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    images = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    block.eval()
    found = block(images)
    hidden = block.bn1(block.conv1(images)).relu()
    expected = (block.bn2(block.conv2(hidden)) + images).relu()
    torch.testing.assert_close(found, expected)


def test_the_dimension_of_the_features_costs_no_random_numbers():
    models.native_dim.cache_clear()
    before = torch.get_rng_state()
    assert models.native_dim("resnet32", CIFAR, 16) == 64
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"feature_layer": "native", "feature_dim": 8}, r"feature_dim is 8.*dimension 20"),
        ({"feature_layer": "linear"}, r"'linear' needs a feature_dim, got None"),
        ({"feature_layer": "nativ"}, r"feature layer 'nativ'.*native"),
        ({"feature_dim": 8, "head": "cosin"}, r"head 'cosin'.*cosine"),
        ({"feature_dim": 8, "head": "etf"}, r"'etf' of 10 classes.*at least 9, got 8"),
    ],
)
def test_feature_layers_and_heads_that_do_not_fit_are_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        models.build("mlp", DIGITS, 10, width=20, **options)


def test_an_etf_fits_in_one_dimension_less_than_it_has_vertices():
    models.check_head("etf", 10, 9)
    network = models.build("mlp", DIGITS, 10, width=20, feature_dim=9, head="etf")
    assert network.head.weight.shape == (10, 9)


def test_resnext50_refuses_grey_images():
    with pytest.raises(ValueError, match=r"'resnext50'.*3 channels, got 1"):
        models.build("resnext50", (1, 32, 32), 10, width=64, feature_layer="native")


# Heads.


def slow_cosines(features, weight):
    return torch.tensor([[h @ w / (h.norm() * w.norm()) for w in weight] for h in features])


def test_the_scores_of_a_cosine_head_are_cosines():
    head, features = models.CosineHead(5, 3), torch.randn(4, 5)
    torch.testing.assert_close(head(features), slow_cosines(features, head.directions.detach()))
    with torch.no_grad():
        head.directions *= 7  # lengths do not matter
    torch.testing.assert_close(head(features), slow_cosines(features, head.directions.detach()))
    torch.testing.assert_close(head.weight.norm(dim=1), torch.ones(3))


def test_a_linear_head_begins_uniform_or_with_kaiming_s_normal_weights():
    torch.manual_seed(0)
    uniform, normal = (models.HEADS[name](64, 2000, True) for name in ("linear", "linear-kaiming"))
    assert uniform.weight.abs().max() <= 1 / 8
    assert uniform.weight.var().item() == pytest.approx(1 / (3 * 64), rel=0.02)
    assert normal.weight.var().item() == pytest.approx(2 / 64, rel=0.02)
    kurtosis = normal.weight.pow(4).mean() / normal.weight.var() ** 2
    assert kurtosis.item() == pytest.approx(3, abs=0.1)  # of a uniform law 1.8
    assert not uniform.bias.any()
    assert not normal.bias.any()


def test_a_cosine_head_learns_directions_of_unit_norm_at_first():
    head = models.CosineHead(5, 3)
    assert [name for name, _ in head.named_parameters()] == ["directions"]
    torch.testing.assert_close(head.directions.detach().norm(dim=1), torch.ones(3))
    head(torch.randn(4, 5)).sum().backward()
    assert (head.directions.grad != 0).any()


def test_a_fixed_etf_is_an_etf_and_is_not_trained():
    torch.manual_seed(0)
    head, features = models.FixedETFHead(6, 4), torch.randn(4, 6)
    gram = head.weight @ head.weight.T
    torch.testing.assert_close(gram, torch.eye(4) * 4 / 3 - 1 / 3)
    assert list(head.parameters()) == []
    assert list(head.state_dict()) == ["weight"]  # so a resumed run has the same
    torch.testing.assert_close(head(features), slow_cosines(features, head.weight))


@pytest.mark.parametrize("head", ["cosine", "etf"])
def test_cosines_are_float32_whatever_the_features_are(head):
    network = models.build("mlp", DIGITS, 4, width=8, feature_dim=6, head=head).eval()
    features = torch.randn(3, 6)
    with torch.autocast("cpu", torch.bfloat16):
        scores = network.head(features)
    assert torch.equal(scores, network.head(features))
    assert network.head(features.bfloat16()).dtype == torch.float32


def test_native_features_of_an_etf_head_have_both_signs_in_training():
    torch.manual_seed(0)
    network = models.build("mlp", DIGITS, 10, width=32, feature_layer="native", head="etf")
    features = network(torch.randn(64, *DIGITS)).features
    assert features.min() < 0 < features.max()
    varies = features.std(0) > 0  # a unit that is off everywhere stays at 0
    torch.testing.assert_close(features.mean(0), torch.zeros(32), rtol=0, atol=1e-5)
    assert varies.sum() > 16


def test_the_batch_norm_of_an_etf_head_takes_a_batch_of_one():
    network = models.build("mlp", DIGITS, 10, width=32, feature_layer="native", head="etf")
    image = torch.randn(1, *DIGITS)
    trained = network.train()(image).features
    measured = network.eval()(image).features
    torch.testing.assert_close(trained, measured)
    assert network.projection.running_var.isfinite().all()


@pytest.mark.parametrize("head", ["cosine", "etf", "linear"])
def test_a_head_decides_as_its_weight_and_bias_do(head):
    torch.manual_seed(0)
    network = models.build("mlp", DIGITS, 10, width=16, feature_dim=12, head=head)
    features = torch.randn(50, 12)
    bias = torch.zeros(10) if network.head.bias is None else network.head.bias
    decided = (features @ network.head.weight.T + bias).argmax(1)
    assert torch.equal(network.head(features).argmax(1), decided)


# Experts.


@pytest.mark.parametrize("experts", [2, 3, 4])
def test_experts_share_the_stem_and_average_their_cosines(experts):
    torch.manual_seed(0)
    name, head = f"resnet32-experts-{experts}", f"experts-{experts}"
    network = models.build(name, CIFAR, 5, width=16, feature_layer="native", head=head).eval()
    images = torch.randn(2, *CIFAR)
    features, scores = network(images)[:2]
    assert features.shape == (2, 48 * experts) == (2, models.native_dim(name, CIFAR, 16))
    shared = network.trunk.stem(images)
    assert shared.shape == (2, 16, 32, 32)
    cosines = torch.stack(
        [
            slow_cosines(branch(shared).detach(), network.head.directions[:, e].detach())
            for e, branch in enumerate(network.trunk.branches)
        ]
    )
    torch.testing.assert_close(scores.detach(), cosines.mean(0))
    own = models.expert_scores(features, network.head.weight, experts)
    torch.testing.assert_close(own.detach(), cosines.transpose(0, 1))
    torch.testing.assert_close(scores, features @ network.head.weight.T)


def test_a_network_of_one_expert_of_full_width_would_be_resnet32():
    # The published counts: a shared stem, and 3/4 of the channels in each expert's two stages.
    def convolutions(inputs, outputs):  # five blocks, with two numbers a channel in batch norm
        return 9 * inputs * outputs + 9 * 9 * outputs * outputs + 10 * 2 * outputs

    stem = 9 * 3 * 16 + 2 * 16 + 10 * (9 * 16 * 16 + 2 * 16)
    assert stem + convolutions(16, 32) + convolutions(32, 64) + 650 == 464_154
    network = models.build(
        "resnet32-experts-3", CIFAR, 10, width=16, feature_layer="native", head="experts-3"
    )
    expected = stem + 3 * (convolutions(16, 24) + convolutions(24, 48) + 480)
    assert sum(p.numel() for p in network.parameters()) == expected


def test_experts_of_full_width_would_be_the_stages_of_resnext50():
    network = torchvision.models.resnext50_32x4d().eval()
    images = torch.randn(1, 512, 4, 4)
    ours = nn.Sequential(*_bottlenecks(512, 256, 6), *_bottlenecks(1024, 512, 3)).eval()
    theirs = nn.Sequential(*network.layer3, *network.layer4)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(images), theirs(images))


def test_experts_of_resnext50_have_three_quarters_of_its_channels():
    shape = (3, 32, 32)
    network = models.build(
        "resnext50-experts-2", shape, 5, width=64, feature_layer="native", head="experts-2"
    ).eval()
    images = torch.randn(2, *shape)
    features, scores = network(images)[:2]
    assert features.shape == (2, 2 * 1536)
    assert features.shape[1] == models.native_dim("resnext50-experts-2", shape, 64)
    assert scores.shape == (2, 5)
    shared = network.trunk.stem(images)
    for branch, own in zip(network.trunk.branches, features.chunk(2, dim=1), strict=True):
        expected = torch.nn.functional.normalize(branch(shared))
        torch.testing.assert_close(own, expected)
    widths = {m.out_channels for m in branch.modules() if getattr(m, "groups", 1) == 32}
    assert widths == {384, 768}  # of the grouped convolutions; 512 and 1,024 without experts


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("resnet32", {"feature_layer": "native"}, r"'experts-2'.*2 experts, got 'native'.* of 1"),
        ("resnet32-experts-3", {"feature_layer": "native"}, r"2 experts, got 'native'.* of 3"),
        ("resnet32-experts-2", {"feature_dim": 8}, r"2 experts, got 'linear' features of 2"),
    ],
)
def test_a_head_of_experts_needs_as_many(name, options, match):
    with pytest.raises(ValueError, match=match):
        models.build(name, CIFAR, 10, width=16, head="experts-2", **options)


def test_experts_need_a_width_that_three_quarters_divide():
    with pytest.raises(ValueError, match=r"width is 10.*multiple of 4"):
        models.build("resnet32-experts-2", CIFAR, 10, width=10, feature_layer="native")


def test_experts_and_branches_of_a_perceptron_share_its_first_layer():
    for name, count in {"mlp-experts-3": 3, "mlp-branches": 2}.items():
        network = models.build(name, DIGITS, 10, width=8, feature_layer="native").eval()
        features = network(torch.randn(2, *DIGITS)).features
        assert features.shape == (2, 8 * count) == (2, models.native_dim(name, DIGITS, 8))
        shared, own = 64 * 8 + 8, 8 * 8 + 8
        assert sum(p.numel() for p in network.trunk.parameters()) == shared + count * own


class _Double(torch.nn.Module):
    def forward(self, rows):
        return 2 * rows


def test_branches_mix_the_features_of_two_images_by_their_shares():
    """By hand: f1 = x and f2 = 2x; with a quarter for the second, 2 [3/4 f1, 1/4 f2]."""
    branches = models.Branches(torch.nn.Flatten(), torch.nn.Identity(), _Double())
    branches.share = 0.25
    first, second = torch.tensor([[4.0], [8.0]]), torch.tensor([[10.0], [20.0]])
    views = torch.cat([first, second])[:, :, None, None]
    torch.testing.assert_close(branches(views), torch.tensor([[6.0, 10.0], [12.0, 20.0]]))
    torch.testing.assert_close(branches.eval()(views[:2]), torch.tensor([[4.0, 8.0], [8.0, 16.0]]))


def test_equal_shares_of_one_image_give_the_scores_of_evaluation():
    network = models.build("resnet32-branches", CIFAR, 10, width=4, feature_layer="native")
    for norm in (module for module in network.modules() if hasattr(module, "running_mean")):
        norm.eval()  # whose own statistics evaluation takes, on the next line too
    images = torch.randn(3, *CIFAR)
    network.trunk.share = 0.5
    scores = network(torch.cat([images, images]))[1]
    torch.testing.assert_close(scores, network.eval()(images)[1])


def test_the_stem_of_branches_normalises_each_view_by_itself():
    network = models.build("resnet32-branches", CIFAR, 10, width=4, feature_layer="native")
    first, second = torch.randn(3, *CIFAR), 5 + 3 * torch.randn(3, *CIFAR)
    network.trunk.share = 0.0
    alone = network(torch.cat([first, first]))[0]
    torch.testing.assert_close(network(torch.cat([first, second]))[0], alone)
    assert not alone[:, 16:].any()


def test_resnet32_with_branches_has_its_last_block_twice():
    plain = models.build("resnet32", CIFAR, 10, width=16, feature_layer="native")
    network = models.build("resnet32-branches", CIFAR, 10, width=16, feature_layer="native")
    assert network.head.in_features == 128
    block = 2 * (9 * 64 * 64 + 2 * 64)
    more = block + 64 * 10  # and the classifier's second half
    count = [sum(p.numel() for p in net.parameters()) for net in (plain, network)]
    assert count[1] == count[0] + more


def test_a_probe_learns_and_gives_its_features_no_gradient():
    network = models.build("mlp", DIGITS, 10, width=8, feature_layer="native", head="probe")
    images = torch.randn(4, *DIGITS)
    features, scores = network(images)[:2]
    torch.testing.assert_close(scores, features @ network.head.weight.T)
    scores.square().sum().backward()
    assert network.head.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in network.trunk.parameters())


@pytest.mark.parametrize(
    ("use", "match"),
    [
        (("resnet32", "experts-2", "native", False), r"'experts-2' needs.*'resnet32-experts-2'"),
        (("mlp-experts-3", "experts-2", "native", False), r"got 'native' features of 'mlp-exper"),
        (("mlp-experts-2", "experts-2", "linear", False), r"got 'linear' features of 'mlp-exper"),
        (("resnet32", "linear", "native", True), r"such as 'resnet32-branches', got 'resnet32'"),
        (("resnet32-branches", "linear", "native", False), r"'resnet32-branches' has two branches"),
    ],
)
def test_a_network_that_is_not_made_for_its_use_is_refused(use, match):
    name, head, layer, two_views = use
    with pytest.raises(ValueError, match=match):
        models.check_use(name, head=head, feature_layer=layer, two_views=two_views)


def test_experts_that_do_not_divide_the_features_are_refused():
    with pytest.raises(ValueError, match=r"3 experts cannot share 8 dimensions"):
        models.expert_scores(torch.zeros(2, 8), torch.zeros(4, 8), 3)


# Second stages.


@pytest.mark.parametrize("bias", [True, False])
def test_learnable_scaling_starts_as_the_head_and_learns_only_scales(bias):
    linear, features = nn.Linear(5, 3, bias=bias), torch.randn(4, 5)
    head = models.LearnableScalingHead(linear)
    torch.testing.assert_close(head(features), linear(features))
    head(features).sum().backward()
    assert [name for name, p in head.named_parameters() if p.grad is not None] == ["scales"]
    assert head.scales.shape == (3,)
    with torch.no_grad():
        head.scales.copy_(torch.tensor([1.0, 2.0, 0.5]))
    torch.testing.assert_close(head(features), linear(features) * head.scales)
    offset = 0 if head.bias is None else head.bias
    torch.testing.assert_close(head(features), features @ head.weight.T + offset)


def test_a_scaled_head_that_is_not_frozen_learns_its_weights_too():
    head = models.LearnableScalingHead(nn.Linear(5, 3), frozen=False)
    head(torch.randn(4, 5)).sum().backward()
    learnt = [name for name, p in head.named_parameters() if p.grad is not None]
    assert learnt == ["scales", "base.weight", "base.bias"]


def test_learnable_scaling_leaves_the_trained_head_alone():
    linear = nn.Linear(5, 3)
    head = models.LearnableScalingHead(linear)
    before = head(torch.ones(1, 5)).detach()
    nn.init.zeros_(linear.weight)
    assert torch.equal(head(torch.ones(1, 5)), before)


@pytest.mark.parametrize("name", models.HEADS)
@pytest.mark.parametrize("scaled", [False, True])
def test_an_assigned_head_decides_by_what_it_was_given(name, scaled):
    head = models.HEADS[name](12, 3, True)
    head = models.LearnableScalingHead(head) if scaled else head
    weight, bias = torch.randn(head.weight.shape), torch.randn(3)
    if models.rows_of(name) == "fixed":
        with pytest.raises(TypeError, match=r"the rows of a \w+ETFHead are fixed"):
            models.assign(head, weight, bias)
        return
    if scaled:
        head.scales.data = torch.tensor([2.0, 0.5, 1.0])
    before = head.weight.detach().clone()
    models.assign(head, weight, bias)
    if models.rows_of(name) == "free":
        torch.testing.assert_close(head.weight, weight)
        if head.bias is not None:
            torch.testing.assert_close(head.bias, bias)
        return
    given, made = (models.by_expert(head, rows) for rows in (weight, head.weight.detach()))
    cosines = torch.cosine_similarity(made, given, dim=2)
    torch.testing.assert_close(cosines, torch.ones_like(cosines))
    norms = weight.norm(dim=1) if scaled else before.norm(dim=1)
    torch.testing.assert_close(head.weight.norm(dim=1), norms)
    models.assign(head, torch.zeros(3, 12), bias)  # without directions
    torch.testing.assert_close(
        nn.functional.normalize(models.by_expert(head, head.weight), dim=2),
        nn.functional.normalize(made, dim=2),
    )


@pytest.mark.parametrize("tau", [0.0, 0.3, 1.0])
def test_tau_normalisation_is_its_formula(tau):
    weight = torch.randn(4, 3, dtype=torch.float64)
    result = models.tau_normalise(weight, tau)
    norms = [sum(x * x for x in row) ** 0.5 for row in weight.tolist()]
    expected = [
        [x / norm**tau for x in row] for row, norm in zip(weight.tolist(), norms, strict=True)
    ]
    torch.testing.assert_close(result, torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(
        result.norm(dim=1), torch.tensor(norms, dtype=torch.float64) ** (1 - tau)
    )


@pytest.mark.parametrize("scale", [1e-30, 1e-25, 1e20, 1e30])
def test_tau_normalisation_is_right_at_any_scale(scale):
    weight = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    expected = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    torch.testing.assert_close(models.tau_normalise(scale * weight, 1.0), expected)


def test_tau_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"tau is 1.5.*\[0, 1\]"):
        models.tau_normalise(torch.eye(2), 1.5)


# A feature for each class.


def class_wise(name="resnet32", *, layer="cosine-attention", head="etf-scaled", **options):
    torch.manual_seed(0)
    given = {"width": 2, "feature_dim": 3, "feature_layer": layer, "head": head, **options}
    return models.build(name, CIFAR, 5, **given)


@pytest.mark.parametrize("name", ["convnet", "resnet32"])
@pytest.mark.parametrize("layer", models.ATTENTIONS)
def test_attention_gives_each_class_a_feature_of_unit_norm(name, layer):
    outputs = class_wise(name, layer=layer).eval()(torch.randn(2, *CIFAR))
    places = 16 if name == "convnet" else 64
    assert [tuple(o.shape) for o in outputs] == [(2, 5, 3), (2, 5), (2, 5, 8), (2, 5, places)]
    torch.testing.assert_close(outputs.features.norm(dim=2), torch.ones(2, 5))
    torch.testing.assert_close(outputs.attention.sum(2), torch.ones(2, 5))
    assert (outputs.attention > 0).all()


def test_cosine_attention_is_its_formula():
    """Equations 3 to 5 and 7, a place, a label and an image at a time."""
    network = class_wise().eval()
    images = torch.randn(2, *CIFAR)
    maps = network.trunk(images)
    outputs, inside = network(images), network.class_wise
    for i, k in ((0, 1), (1, 4)):
        tokens = [maps[i, :, row, column] for row in range(8) for column in range(8)]
        label = inside.embedding[k]
        powers = [torch.exp(z @ label / z.norm() / label.norm()) for z in tokens]
        attended = sum(p * z for p, z in zip(powers, tokens, strict=True)) / sum(powers)
        torch.testing.assert_close(outputs.attended[i, k], attended, rtol=1e-4, atol=1e-5)
        projected = attended @ inside.weight[k] + inside.bias[k]
        unit = projected / projected.norm()
        torch.testing.assert_close(outputs.features[i, k], unit, rtol=1e-4, atol=1e-5)
        brightest = torch.stack(powers).argmax()
        assert outputs.attention[i, k].argmax() == brightest


def test_gradients_of_cosine_attention():
    torch.manual_seed(0)
    embedding = torch.randn(4, 5, dtype=torch.float64)
    attend = models.CosineAttention(5, embedding, trained=True).double()
    maps = torch.randn(2, 5, 3, 2, dtype=torch.float64, requires_grad=True)

    def attended(maps, embedding):
        return tuple(torch.func.functional_call(attend, {"embedding": embedding}, (maps,)))

    assert torch.autograd.gradcheck(attended, (maps, embedding.requires_grad_()))


def test_cosine_attention_in_bfloat16_is_that_of_float32_up_to_rounding():
    network, images = class_wise(), torch.randn(2, *CIFAR)
    gradients = []
    for enabled in (False, True):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            outputs = network(images)
        outputs.scores.float().square().sum().backward()
        gradients.append(network.class_wise.weight.grad)
    torch.testing.assert_close(*gradients, rtol=0.1, atol=0.02 * gradients[0].abs().max().item())


def test_weights_of_cosine_attention_differ_by_e_squared_at_most():
    attend = models.CosineAttention(4, torch.eye(4), trained=False)
    ends = torch.tensor([1.0, -1.0])[None, None, None, :] * torch.eye(4)[0][None, :, None, None]
    weights = attend(1e3 * ends).attention[0, 0]
    assert (weights[0] / weights[1]).item() == pytest.approx(math.e**2, rel=1e-5)


def test_a_place_without_a_feature_is_at_a_right_angle():
    attend = models.CosineAttention(4, torch.eye(4), trained=True)
    maps = torch.zeros(1, 4, 2, 2, requires_grad=True)
    features, attention = attend(maps)
    assert (attention == 0.25).all()
    features.sum().backward()
    torch.testing.assert_close(maps.grad, torch.ones_like(maps))  # of the mean of 4 places, 4 times


@pytest.mark.parametrize("layer", models.ATTENTIONS)
def test_the_label_embedding_is_a_simplex_that_stays_or_numbers_that_learn(layer):
    fixed, trained = (class_wise(layer=layer, embedding=e) for e in models.EMBEDDINGS)
    etf = fixed.class_wise.embedding
    torch.testing.assert_close(etf @ etf.T, 1.25 * torch.eye(5) - 0.25)
    assert not etf.requires_grad
    assert trained.class_wise.embedding.requires_grad
    given = torch.randn(5, 16)
    network = class_wise(layer=layer, embedding=given)
    assert torch.equal(network.class_wise.embedding, given)
    assert network(torch.randn(1, *CIFAR)).attended.shape == (1, 5, 16)


def test_heads_of_class_wise_features():
    images = torch.randn(2, *CIFAR)
    for head, shape in (
        ("etf-scaled", (5, 15)),
        ("etf-scaled-trained", (5, 15)),
        ("etf-linear", (5, 15)),
        ("linear", (5, 15)),
        ("class-wise", (5, 3)),
    ):
        network = class_wise(head=head).eval()
        features, scores = network(images)[:2]
        weight = network.head.weight
        assert weight.shape == shape
        if head == "class-wise":
            expected = torch.stack([features[:, k] @ weight[k] for k in range(5)], 1)
        else:
            expected = torch.cat([features[:, k] for k in range(5)], 1) @ weight.T
        torch.testing.assert_close(scores, expected)  # biases start at 0


def test_the_scaled_etf_learns_its_factor_and_its_rows_only_if_asked():
    for trained in (False, True):
        head = models.ScaledETFHead(12, 4, trained=trained)
        rows = head.weight
        torch.testing.assert_close(rows @ rows.T, torch.eye(4) * 4 / 3 - 1 / 3)
        features = torch.nn.functional.normalize(torch.randn(2, 4, 3), dim=2)
        head(features.flatten(1)).square().sum().backward()
        assert head.factor.grad != 0
        assert (head.directions.grad is not None) == trained
        with torch.no_grad():
            head.factor.mul_(3)
        torch.testing.assert_close(head.weight, 3 * rows)


def test_resnet50_has_a_map_of_2048_channels_and_torchvisions_names():
    with torch.device("meta"):
        network = models.build(
            "resnet50", (3, 64, 64), 20, width=64, feature_dim=20, feature_layer="cosine-attention"
        )
    names = set(torchvision.models.resnet50().state_dict()) - {"fc.weight", "fc.bias"}
    assert set(network.trunk.state_dict()) == names
    assert network.class_wise.weight.shape == (20, 2048, 20)


REFUSED_CLASS_WISE = [
    ({"name": "mlp"}, "needs a model that has a map of features, .*, got 'mlp'"),
    ({"width": 1}, None),  # 4 channels are enough for 5 vertices
    ({"embedding": "words"}, "unknown embedding 'words'"),
    ({"embedding": torch.randn(4, 8)}, r"embedding must have shape \(5, D\), .*, got \(4, 8\)"),
    ({"width": 1, "layer": "multi-head-attention"}, "a multiple of 8 channels, got 4"),
    (
        {"layer": "multi-head-attention", "embedding": torch.randn(5, 9)},
        "a multiple of 8 dimensions, got 9",
    ),
]


@pytest.mark.parametrize(("options", "match"), REFUSED_CLASS_WISE)
def test_attention_that_does_not_fit_is_refused(options, match):
    if match is None:
        class_wise(**options)
    else:
        with pytest.raises(ValueError, match=match):
            class_wise(**options)


def test_too_few_channels_for_the_embedding_are_refused():
    """64 channels and 80 classes."""
    with pytest.raises(ValueError, match=r"'etf' of 80 classes needs at least 79 channels, got 64"):
        models.build(
            "resnet32", CIFAR, 80, width=16, feature_dim=4, feature_layer="cosine-attention"
        )


@pytest.mark.parametrize("head", ["etf-scaled", "etf-scaled-trained", "class-wise"])
def test_heads_of_class_wise_features_refuse_one_feature(head):
    with pytest.raises(ValueError, match=f"head '{head}' scores class-wise features"):
        models.build("mlp", DIGITS, 10, width=8, feature_dim=20, head=head)


def test_word_vectors_are_read_for_the_labels(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("the 9 9\ntraffic 1 2\nlight 3 4\ncat 0.5 -1\n")
    vectors = models.read_embedding(path, ["Cat", "traffic light", "traffic-light"])
    torch.testing.assert_close(vectors, torch.tensor([[0.5, -1.0], [2.0, 3.0], [2.0, 3.0]]))
    with pytest.raises(ValueError, match=r"no vector for 'diningtable', 'potted plant'"):
        models.read_embedding(path, ["cat", "diningtable", "potted plant"])
    path.write_text("cat 1 2\ntraffic 1\n")
    with pytest.raises(ValueError, match=r"vectors of 1 and of 2 numbers"):
        models.read_embedding(path, ["cat", "traffic"])
    with pytest.raises(FileNotFoundError):
        models.read_embedding(tmp_path / "none.txt", ["cat"])
