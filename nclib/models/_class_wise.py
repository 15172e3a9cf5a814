"""From a map of features to one feature for each class: attention, then a projection a class."""

from __future__ import annotations

import math
from collections import OrderedDict
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.linalg import vector_norm
from torch.nn import functional

from nclib import _check, geometry
from nclib._names import unknown

Attention = Literal["cosine-attention", "multi-head-attention"]
Embedding = Literal["etf", "trainable"]
ATTENTIONS = get_args(Attention)  #: Kinds of attention, which are feature layers too.
EMBEDDINGS = get_args(Embedding)  #: Label embeddings by name.
_MOST_TOKEN_CHANNELS, _ATTENTION_HEADS = 768, 8  # of the released code's multi-head attention


class Attended(NamedTuple):
    """What attention takes from a batch of maps with L places."""

    features: Float[Tensor, "B K D"]  # for each class, a mean over the places
    attention: Float[Tensor, "B K L"]  # its weights, which sum to 1


class CosineAttention(nn.Module):
    r"""Each label's mean of the map, weighted by the softmax of cosines with its embedding.

    With the vectors :math:`z^j` at the places of a map, and the embedding :math:`l_k` of a label,

    .. math:: f^k = \sum_j \sigma_j^k z^j, \qquad
        \sigma_j^k = \frac{e^{\cos\angle(z^j, l_k)}}{\sum_i e^{\cos\angle(z^i, l_k)}} .

    There is no temperature: no weight is more than :math:`e^2` times another. Where the embedding
    has another dimension than the map, a linear layer stands before.

    Args:
        channels: of the map.
        embedding: (K, D), a vector for each label.
        trained: whether the embedding learns.

    Source: MLC-NC (2025), equations 3 to 5.
    """

    def __init__(self, channels: int, embedding: Float[Tensor, "K D"], *, trained: bool) -> None:
        super().__init__()
        self.tokens: nn.Module = nn.Identity()
        if channels != embedding.shape[1]:
            self.tokens = nn.Linear(channels, embedding.shape[1])
        self.embedding = nn.Parameter(embedding.clone(), requires_grad=trained)

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Attended:
        """The features of the classes, and the weights, place by place in the order of rows."""
        tokens = self.tokens(maps.flatten(2).transpose(1, 2))
        labels = functional.normalize(self.embedding).to(tokens.dtype)
        return Attended(*_CosineAttention.apply(tokens, labels))


class _CosineAttention(torch.autograd.Function):
    """Attention of unit vectors; the gradient of the map is one array, where autograd adds four."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(tokens.device.type, enabled=False):
            norms = vector_norm(tokens, dim=2)[:, None, :]
            # A place where all is zero is at a right angle to every label.
            inverse = torch.where(norms < torch.finfo(tokens.dtype).tiny, 0.0, 1 / norms)
            # The tokens are divided by no norm: that would be another array of their size.
            cosines = (labels @ tokens.transpose(1, 2)) * inverse
            attention = cosines.softmax(2)
            attended = attention @ tokens
        ctx.save_for_backward(tokens, labels, inverse, cosines, attention)
        return attended, attention

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, to_attended: Tensor, to_attention: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        tokens, labels, inverse, cosines, attention = ctx.saved_tensors
        slopes = to_attention + to_attended @ tokens.transpose(1, 2)
        slopes = attention * (slopes - (attention * slopes).sum(2, keepdim=True))  # of the cosines
        slopes = slopes * inverse
        along = (slopes * cosines * inverse).sum(1)
        to_tokens = attention.transpose(1, 2) @ to_attended
        to_tokens.baddbmm_(slopes.transpose(1, 2), labels.expand(len(tokens), -1, -1))
        to_tokens.addcmul_(tokens, along[:, :, None], value=-1)
        learns = ctx.needs_input_grad[1]
        return to_tokens, torch.einsum("bkl,bld->kd", slopes, tokens) if learns else None


class MultiHeadAttention(nn.Module):
    """Multi-head attention whose queries are the labels' embeddings, the same for every image.

    The map's vectors go through a linear layer and a ReLU before. The weights are the mean of those
    of the eight heads.

    Args:
        channels: of the map.
        embedding: (K, D), a vector for each label; D is a multiple of 8.
        trained: whether the embedding learns.

    Raises:
        ValueError: if D is no multiple of 8.

    Source: the released code of MLC-NC (2025), which also drops a tenth of the weights.
    """

    def __init__(self, channels: int, embedding: Float[Tensor, "K D"], *, trained: bool) -> None:
        super().__init__()
        dim = embedding.shape[1]
        if dim % _ATTENTION_HEADS:
            raise ValueError(
                f"multi-head attention has {_ATTENTION_HEADS} heads, so embeddings need a multiple "
                f"of {_ATTENTION_HEADS} dimensions, got {dim}"
            )
        self.tokens = nn.Sequential(nn.Linear(channels, dim), nn.ReLU())
        self.attention = nn.MultiheadAttention(dim, _ATTENTION_HEADS, batch_first=True)
        self.embedding = nn.Parameter(embedding.clone(), requires_grad=trained)

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Attended:
        """The features of the classes, and the weights, place by place in the order of rows."""
        tokens = self.tokens(maps.flatten(2).transpose(1, 2))
        queries = self.embedding.expand(len(maps), -1, -1)
        return Attended(*self.attention(queries, tokens, tokens))


class ClassWise(nn.Module):
    r"""Attention, and for each class a linear projection to p dimensions, scaled to unit norm.

    .. math:: \hat\mu^k = P_k f^k + b_k, \qquad \mu^k = \hat\mu^k / \|\hat\mu^k\|

    Args:
        channels: of the map.
        num_classes: K.
        dim: p.
        attention: ``cosine-attention`` or ``multi-head-attention``.
        embedding: ``etf``: a simplex ETF that is fixed; ``trainable``: normal numbers that learn;
            or a fixed one that is given, (K, D).

    Raises:
        ValueError: if the kind of attention or of embedding is unknown, an embedding that is given
            has not K rows, or there are too few channels for K vertices.

    Source: MLC-NC (2025), equations 3 to 5 and 7.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        dim: int,
        *,
        attention: str,
        embedding: str | Float[Tensor, "K D"] = "etf",
    ) -> None:
        super().__init__()
        name = embedding if isinstance(embedding, str) else "given"
        check_class_wise(attention, name, channels, num_classes)
        attend = CosineAttention if attention == "cosine-attention" else MultiHeadAttention
        inside = token_channels(attention, channels)
        if isinstance(embedding, Tensor):
            vectors = _check.matrix("embedding", embedding).float()
            if len(vectors) != num_classes:
                raise ValueError(
                    f"embedding must have shape ({num_classes}, D), a row for each class, got "
                    f"{tuple(vectors.shape)}"
                )
        elif embedding == "etf":
            vectors = geometry.simplex_etf(num_classes, inside, dtype=torch.float32)
        else:
            vectors = torch.randn(num_classes, inside)
        self.attend = attend(channels, vectors, trained=name == "trainable")
        inside = vectors.shape[1]
        spread = math.sqrt(2 / (inside + dim))  # Xavier's, of each class by itself
        self.weight = nn.Parameter(spread * torch.randn(num_classes, inside, dim))
        self.bias = nn.Parameter(torch.zeros(num_classes, dim))

    @property
    def embedding(self) -> Float[Tensor, "K D"]:
        """Of the labels."""
        return self.attend.embedding

    def forward(
        self, maps: Float[Tensor, "B C h w"]
    ) -> tuple[Float[Tensor, "B K P"], Float[Tensor, "B K D"], Float[Tensor, "B K L"]]:
        """The projected features, those before, and the weights of attention."""
        attended, attention = self.attend(maps)
        projected = torch.bmm(attended.transpose(0, 1), self.weight.to(attended.dtype))
        projected = projected.transpose(0, 1).float() + self.bias
        return functional.normalize(projected, dim=2), attended, attention


def token_channels(attention: str, channels: int) -> int:
    """Dimension of what attention averages, of a map with so many channels."""
    return channels if attention == "cosine-attention" else min(channels, _MOST_TOKEN_CHANNELS)


def check_class_wise(attention: str, embedding: str, channels: int, num_classes: int) -> None:
    """Refuse attention that does not exist or does not fit.

    Raises:
        ValueError: if the attention or the embedding is unknown (near matches are listed), or the
            channels are too few for a simplex ETF of K vectors.
    """
    if attention not in ATTENTIONS:
        raise unknown("attention", attention, ATTENTIONS)
    if embedding not in (*EMBEDDINGS, "given"):
        raise unknown("embedding", embedding, EMBEDDINGS)
    inside = token_channels(attention, channels)
    if embedding == "etf" and inside < num_classes - 1:
        raise ValueError(
            f"embedding 'etf' of {num_classes} classes needs at least {num_classes - 1} channels, "
            f"got {inside}"
        )
    if embedding != "given" and attention == "multi-head-attention" and inside % _ATTENTION_HEADS:
        raise ValueError(
            f"multi-head attention needs a multiple of {_ATTENTION_HEADS} channels, got {inside}"
        )


def without_pooling(trunk: nn.Module) -> nn.Sequential:
    """A trunk up to its last map, the same modules under the same names.

    It is a sequence, or has torchvision's names for the layers of a ResNet.
    """
    kept: OrderedDict[str, nn.Module] = OrderedDict()
    for name, module in trunk.named_children():
        if isinstance(module, (nn.AdaptiveAvgPool2d, nn.Flatten)):
            break
        kept[name] = module
    return nn.Sequential(kept)


def read_embedding(path: Path, words: list[str]) -> Float[Tensor, "K D"]:
    """Word vectors of the labels, from a file in the format of GloVe: a word and numbers a line.

    A label of several words, joined by spaces or hyphens, has the mean of their vectors.

    Args:
        path: of the file.
        words: the labels, in the order of the classes.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file has no line for a word, or lines of different lengths; each label
            that is missing is named.

    Source: Pennington et al. (2014), the files of pre-trained vectors.
    """
    parts = [label.lower().replace("-", " ").split() for label in words]
    wanted = {word for label in parts for word in label}
    vectors: dict[str, Tensor] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            word, _, numbers = line.rstrip().partition(" ")
            if word in wanted:
                vectors[word] = torch.tensor([float(n) for n in numbers.split()])
    missing = [
        label for label, ws in zip(words, parts, strict=True) if not all(w in vectors for w in ws)
    ]
    if missing:
        raise ValueError(f"{path} has no vector for {', '.join(map(repr, missing))}")
    sizes = sorted({len(vector) for vector in vectors.values()})
    if len(sizes) > 1:
        raise ValueError(f"{path} has vectors of {sizes[0]} and of {sizes[-1]} numbers")
    return torch.stack([torch.stack([vectors[w] for w in label]).mean(0) for label in parts])
