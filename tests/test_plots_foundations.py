"""The figures of the foundations chapters: what they draw is what they say."""

import base64
import io
import json
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.pylabtools import retina_figure
from PIL import Image

from nclib import geometry, plots
from nclib.plots._style import notebook_png
from nclib.plots.foundations import measuring_collapse, simplex_etf, unconstrained_features

ETF = np.eye(3) - 1 / 3


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def _step(figure, label):
    return next(step for step in figure.layout.sliders[0].steps if step.label == label)


@pytest.mark.parametrize("shift", [-0.6, 0.0, 0.3, 1.0, 2.0])
def test_slider_moves_the_vectors_to_the_shifted_simplex_etf(shift):
    figure, _ = simplex_etf.ssetf_slider()
    data, title, traces = _step(figure, f"{shift:.1f}").args
    tips = traces.index(6)  # the markers at the ends of the vectors
    rows = np.array([data[axis][tips] for axis in "xyz"]).T
    gram = ETF + (1 - shift) ** 2 / 3
    np.testing.assert_allclose(rows @ rows.T, gram, atol=1e-3)
    angle = math.degrees(math.acos(gram[0, 1] / gram[0, 0]))
    assert f"{angle:.0f}°" in title["title.text"]


def test_slider_shows_its_start_and_refuses_another():
    figure, alt = simplex_etf.ssetf_slider(1.0)
    assert figure.layout.sliders[0].steps[figure.layout.sliders[0].active].label == "1.0"
    assert "simplex ETF" in alt
    with pytest.raises(ValueError, match=r"0\.25"):
        simplex_etf.ssetf_slider(0.25)


def test_movie_frames_are_centred_and_scaled():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(4).repeat_interleave(10)
    corners = geometry.simplex_etf(4, 3, generator=generator)
    snapshots = torch.stack([5.0 + 3.0 * corners[labels], corners[labels]])
    figure, _ = measuring_collapse.collapse_movie(snapshots, labels, (0, 7), per_class=5)
    first, last = (step.args[0] for step in figure.layout.sliders[0].steps)
    for axis in "xyz":
        for one, other in zip(first[axis], last[axis], strict=True):
            assert one == pytest.approx(other, abs=2e-3, nan_ok=True)
    assert len(first["x"][0]) == 5
    assert [step.label for step in figure.layout.sliders[0].steps] == ["0", "7"]


def test_interactive_figures_ask_nothing_from_outside():
    figure, alt = simplex_etf.ssetf_slider()
    bundle = plots.interactive(figure, div_id="slider", alt=alt)._repr_mimebundle_()
    assert "<script src" not in bundle["text/html"]
    assert "sendChartToCloud" in bundle["text/html"]  # named among the buttons that are removed
    assert len(json.dumps(bundle)) < 300_000


def test_gram_matrices_print_the_common_angle():
    frames = [geometry.shifted_simplex_etf(4, 6, scale=1.0, shift=b) for b in (0.0, 1.0)]
    figure = simplex_etf.gram_matrices([0.0, 1.0], frames)
    assert [axes.get_xlabel() for axes in figure.axes[:2]] == ["90°", "109°"]


def test_certificate_puts_the_optimum_between_the_bounds():
    primal = 1 + torch.tensor([1.0, 0.1, 0.01, 0.0]).double()
    dual = 1 - torch.tensor([1.0, 0.2, 0.02, 0.0]).double()
    above, below = unconstrained_features.certificate(primal, dual).axes[0].lines
    np.testing.assert_allclose(above.get_ydata(), [10, 1, 0], atol=1e-5)
    np.testing.assert_allclose(below.get_ydata(), [-20, -2, 0], atol=1e-5)


def test_a_notebook_keeps_a_figure_of_few_colours_as_it_is_drawn():
    figure, axes = plt.subplots(figsize=(2, 1), dpi=100)
    axes.set_axis_off()
    figure.patch.set_facecolor("#0072B2")
    axes.plot([0, 1], [0, 1], antialiased=False, color="#E69F00", snap=False)
    text, size = notebook_png(figure)
    assert text == notebook_png(figure)[0]
    small = Image.open(io.BytesIO(base64.b64decode(text)))
    assert small.mode == "P"
    assert small.size == (2 * size["width"], 2 * size["height"])
    drawn = Image.open(io.BytesIO(retina_figure(figure)[0]))
    assert np.array_equal(np.asarray(small.convert("RGB")), np.asarray(drawn.convert("RGB")))


def test_a_notebook_keeps_a_figure_of_many_colours_within_sight():
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.imshow(np.linspace(0, 1, 3000).reshape(50, 60), cmap="viridis")
    axes.plot(np.arange(40), 25 + 20 * np.sin(np.arange(40)), color="red", alpha=0.5)
    text, _ = notebook_png(figure)
    small = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"), dtype=float)
    png = retina_figure(figure)[0]
    drawn = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float)
    assert (small[2, 2] == drawn[2, 2]).all()  # what is frequent stays as it is
    step = 255 / 128  # of a channel, if the colours were spread evenly over it
    assert 0 < np.abs(small - drawn).mean() < 2 * step
    assert len(text) < len(png)


def test_an_empty_figure_has_no_picture():
    assert notebook_png(plt.figure()) is None
