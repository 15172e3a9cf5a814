"""Every method, declared."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from nclib._names import unknown
from nclib.methods import _parts
from nclib.methods._credits import credited
from nclib.methods._method import Contrast, Method, Option, SecondStage, SecondView, Term

_DEFERRED = {
    "beta": Option(0.9999, high=1 - 1e-9),
    "drw_epoch": Option(lambda epochs: 4 * epochs // 5, epoch=True),
}
_MARGIN = {"max_margin": Option(0.5), "scale": Option(30.0, low=1e-6)}
_TAU = {"tau": Option(1.0)}
_GAMMA = {"gamma": Option(2.0)}
_SMOOTHING = {"smooth_head": Option(0.4, high=0.99), "smooth_tail": Option(0.1, high=0.99)}
_STAGE = {"second_epochs": Option(10, low=1, whole=True), "second_lr": Option(0.05, low=1e-9)}
_CLASS_AWARE = {
    "second_sampler": Option(
        "class_aware", choices=("class_aware", "class_aware_cyclic"), added=True
    )
}
_CENTRES = {
    "start_epoch": Option(0, epoch=True),
    "centres": Option("batch", choices=("batch", "ema", "learnable", "ema-all", "learnable-all")),
    "terms_on": Option("mixed", choices=("mixed", "clean"), added=True),
}
_EXPERTS = {"diversity": Option(0.2), "spread": Option(0.05, high=0.99)}
_QUEUE = {
    "queue_length": Option(4096, low=1, whole=True),
    "temperature": Option(0.07, low=1e-6),
    "key_decay": Option(0.999, high=1.0),
}
_POSITIVES = {"positives": Option(6, whole=True)}
_TARGETS = {
    "target_weight": Option(0.2),
    "target_epoch": Option(lambda epochs: epochs // 2, epoch=True),
    "target_as": Option("term", choices=("term", "positive")),
}
_WITHIN = Term("lam_within", _parts.within)
_BETWEEN = Term("lam_between", _parts.between)
_CENTER = Term("lam_center", _parts.center)
_STRENGTHS = {_WITHIN: Option(0.01), _BETWEEN: Option(0.1), _CENTER: Option(0.01)}


def _with(method: Method, name: str, title: str, *terms: Term) -> Method:
    """A method with regularisers added."""
    options = {**method.options, **_CENTRES, **{t.option: _STRENGTHS[t] for t in terms}}
    return replace(method, name=name, title=title, terms=terms, options=options)


_PLAIN = Method("plain", "encoded labels", None, tasks=("single_label", "multi_label"))
_CE = Method("ce", "CE", _parts.cross_entropy)
_MSE = Method("mse", "MSE", _parts.squared_error, logits=False)
_CE_DRW = replace(
    _CE, name="ce-drw", title="CE-DRW", weights="effective", deferred=True, options=_DEFERRED
)
_LDAM_DRW = replace(
    _CE_DRW,
    name="ldam-drw",
    title="LDAM-DRW",
    loss=_parts.ldam,
    head="cosine",
    options={**_DEFERRED, **_MARGIN},
)
_LOGIT_ADJUST = Method("logit-adjust", "Logit Adjust", _parts.logit_adjusted, options=_TAU)
_NC_DRW = _with(_CE_DRW, "nc-drw", "NC-DRW", _WITHIN, _BETWEEN)
_RETRAIN = SecondStage("fresh", "class_aware", _parts.cross_entropy)
_BALANCED = SecondStage("fresh", "class_balanced", _parts.cross_entropy)
_FCL = Method(
    "fcl-features",
    "FCL, first stage",
    _parts.contrastive,
    head="probe",
    second_view=SecondView("same"),
    contrast=Contrast(),
    options=_QUEUE,
)
_KCL = replace(
    _FCL, name="kcl-features", title="KCL, first stage", options={**_QUEUE, **_POSITIVES}
)
_TSC = replace(
    _KCL,
    name="tsc-features",
    title="TSC, first stage",
    contrast=Contrast(targets=True),
    options={**_KCL.options, **_TARGETS},
)


_PAL = Method(
    "pal",
    "PAL",
    _parts.pick_all_label,
    tasks=("multi_label",),
    options={"normalise": Option("sum", choices=("sum", "mean"))},
)
_BCE = Method(
    "bce",
    "BCE",
    _parts.binary_cross_entropy,
    tasks=("multi_label",),
    options={"reduction": Option("sum", choices=("sum", "mean"))},
    logits=False,
)

_BINARY = replace(_BCE, options={})
_SAMPLER = {"sampler": Option("class_aware", choices=("class_aware", "instance"))}
_INSTANCE = {"sampler": Option("instance", choices=("instance", "class_aware"))}
_BALANCE = {
    "mu": Option(0.3, low=-math.inf),
    "lam": Option(5.0, low=1e-6),
    "alpha": Option(0.1),
    "beta": Option(10.0),
    "init_bias": Option(0.05),
}
_DB = replace(
    _BINARY,
    name="db",
    title="DB",
    loss=_parts.distribution_balanced,
    sampler="class_aware",
    counted=True,
    options={**_BALANCE, **_SAMPLER},
)
_TWO_WAY = replace(
    _BINARY,
    name="two-way",
    title="Two-way",
    loss=_parts.two_way,
    options={"t_pos": Option(4.0, low=1e-6), "t_neg": Option(1.0, low=1e-6), **_INSTANCE},
)
_LONG_TAILED_LABELS = (
    replace(_BCE, name="bce-rs", title="RS", sampler="class_aware"),
    replace(
        _BCE,
        name="bce-rw",
        title="RW",
        weights="inverse",
        options={**_BCE.options, "power": Option(0.5, high=1.0)},
    ),
    replace(_BINARY, name="bce-focal", title="Focal", loss=_parts.binary_focal, options=_GAMMA),
    replace(
        _BINARY,
        name="bce-cb-focal",
        title="CB Focal",
        loss=_parts.binary_class_balanced_focal,
        counted=True,
        options={**_GAMMA, "beta": Option(0.9, high=1 - 1e-9)},
    ),
    replace(
        _BINARY,
        name="bce-ldam",
        title="LDAM",
        loss=_parts.binary_ldam,
        head="cosine",
        counted=True,
        options=_MARGIN,
    ),
    replace(
        _BINARY,
        name="asl",
        title="ASL",
        loss=_parts.asymmetric,
        options={
            "gamma_neg": Option(4.0),
            "gamma_pos": Option(1.0),
            "clip": Option(0.05, high=0.99),
            **_INSTANCE,
        },
    ),
    _DB,
    replace(_DB, name="db-focal", title="DB-Focal", loss=_parts.distribution_balanced_focal),
    _TWO_WAY,
    replace(
        _BINARY,
        name="mlc-nc",
        title="MLC-NC",
        loss=_parts.chosen,
        head="etf-scaled",
        sampler="class_aware",
        class_wise=True,
        options={
            "loss": Option("two-way", choices=tuple(_parts.CHOICES)),
            "alpha": Option(0.5),
            "beta": Option(0.2),
            "tau": Option(0.5, low=1e-6),
            "centres": Option("epoch", choices=("epoch", "running", "ema")),
            "collapse_by": Option("images", choices=("images", "pairs")),
            "alignment_epochs": Option(0, epoch=True),
            "classifier": Option(
                "etf-scaled", choices=("etf-scaled", "etf-scaled-trained", "class-wise")
            ),
            **_SAMPLER,
        },
    ),
)


def _ride(experts: int, head: Literal["experts-2", "experts-3", "experts-4"]) -> Method:
    """RIDE without routing among its experts."""
    return Method(
        f"ride-{experts}",
        f"RIDE ({experts} experts)",
        _parts.ride_of(experts),
        head=head,
        weights="effective",
        deferred=True,
        options={**_DEFERRED, **_MARGIN, **_EXPERTS},
    )


_RIDE = (_ride(2, "experts-2"), _ride(3, "experts-3"), _ride(4, "experts-4"))


def _retrained(base: Method, name: str, title: str, second: SecondStage) -> Method:
    """A method with a second stage."""
    return replace(
        base,
        name=name,
        title=title,
        base=base.name,
        second=second,
        options={
            **base.options,
            **_STAGE,
            **(_CLASS_AWARE if second.sampler == "class_aware" else {}),
        },
    )


METHODS: dict[str, Method] = {
    method.name: credited(method)
    for method in (
        _PLAIN,
        _CE,
        _MSE,
        replace(_CE, name="ce-rs", title="CE-RS", sampler="class_balanced"),
        replace(_CE, name="ce-rw", title="CE-RW", weights="inverse"),
        replace(
            _CE,
            name="ce-rw-effective",
            title="CE-RW (effective number)",
            weights="effective",
            options={"beta": _DEFERRED["beta"]},
        ),
        _CE_DRW,
        _LDAM_DRW,
        _with(_CE_DRW, "ce-drw-center", "CE-DRW + center loss", _CENTER),
        _with(_CE_DRW, "ce-drw-lw", "CE-DRW + L_W", _WITHIN),
        _with(_CE_DRW, "ce-drw-lb", "CE-DRW + L_B", _BETWEEN),
        _with(_CE_DRW, "ce-drw-center-lb", "CE-DRW + center loss + L_B", _CENTER, _BETWEEN),
        _NC_DRW,
        _retrained(_NC_DRW, "nc-drw-crt", "NC-DRW-cRT", _RETRAIN),
        _retrained(  # as the released code of NC-DRW-cRT has it
            _NC_DRW,
            "nc-drw-crt-shift",
            "NC-DRW-cRT, batch norm shifted",
            replace(_RETRAIN, batch_norm="shift"),
        ),
        _retrained(_CE, "ce-crt", "CE-cRT", _RETRAIN),
        _retrained(
            _CE,
            "ce-lws",
            "CE-LWS",
            SecondStage("scales", "class_aware", _parts.cross_entropy),
        ),
        replace(
            _CE,
            name="tau-norm",
            title="τ-norm",
            base="ce",
            post_hoc=_parts.tau_normalised,
            options={"tau": Option(1.0, high=1.0)},
        ),
        _LOGIT_ADJUST,
        replace(
            _CE,
            name="logit-adjust-post-hoc",
            title="Logit Adjust (post-hoc)",
            base="ce",
            post_hoc=_parts.prior_removed,
            options={"tau": Option(1.0)},  # not that of a base with a τ of its own
        ),
        Method("focal", "Focal loss", _parts.focal, options=_GAMMA),
        Method(
            "cb-focal",
            "CB Focal",
            _parts.class_balanced_focal,
            weights="effective",
            options={**_GAMMA, "beta": _DEFERRED["beta"]},
        ),
        Method("balanced-softmax", "Balanced Softmax", _parts.balanced_softmax),
        Method("arb", "ARB-Loss", _parts.arb),
        replace(
            _retrained(
                _CE,
                "mislas",
                "MiSLAS",
                SecondStage("tuned", "class_balanced", _parts.label_aware_smoothing, "shift"),
            ),
            options={
                **_STAGE,
                **_SMOOTHING,
                "batch_norm": Option("shift", choices=("shift", "frozen")),
            },
        ),
        Method(
            "etf-dr",
            "ETF classifier + DR",
            _parts.dot_regression,
            head="etf",
            logits=False,
        ),
        _with(_CE, "ce-nc", "CE + NC", _WITHIN, _BETWEEN),
        _with(_MSE, "mse-nc", "MSE + NC", _WITHIN, _BETWEEN),
        _with(_LDAM_DRW, "ldam-drw-nc", "LDAM-DRW + NC", _WITHIN, _BETWEEN),
        _with(_LOGIT_ADJUST, "logit-adjust-nc", "Logit Adjust + NC", _WITHIN, _BETWEEN),
        *_RIDE,
        *(_with(m, f"{m.name}-nc", f"{m.title} + NC", _WITHIN, _BETWEEN) for m in _RIDE),
        Method(
            "bbn",
            "BBN",
            _parts.cross_entropy,
            second_view=SecondView("reversed", share=_parts.parabola),
        ),
        _FCL,
        _KCL,
        _TSC,
        _retrained(_FCL, "fcl", "FCL", _BALANCED),
        _retrained(_KCL, "kcl", "KCL", _BALANCED),
        _retrained(_TSC, "tsc", "TSC", _BALANCED),
        _PAL,
        replace(_PAL, name="pal-etf", title="PAL, fixed ETF", head="etf-linear"),
        _BCE,
        replace(_BCE, name="bce-etf", title="BCE, fixed ETF", head="etf-linear"),
        *_LONG_TAILED_LABELS,
    )
}


def get(name: str) -> Method:
    """The method of that name.

    Raises:
        ValueError: if there is none; the near matches are listed.
    """
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name]
