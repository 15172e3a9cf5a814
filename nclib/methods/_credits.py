"""Whose each method is, and how its runs differ from its authors'.

The runs meant are those of the paper profile in ``nclib.papers.inducing_nc``, unless a difference
names the laptop profile. What a row's setting is follows from its configuration; here stands what
its authors have instead, from their papers and their released code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nclib.methods._method import Difference, Method


def _unmeasured(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """The same differences of a method for which no pair of runs measures them."""
    return tuple(Difference(one.text) for one in differences)


_LDAM_SCHEDULE = Difference(
    "Cao et al.'s code has weight decay 2e-4, learning rates of 1e-3 from epoch 160 and 1e-5 from "
    "180 on, and a warm-up by epoch; here 5e-4, 1e-2 and 1e-3, and by step."
)
_LDAM_HEAD = Difference(
    "Cao et al.'s code begins linear layers with Kaiming's normal weights; here they begin as "
    "`torch.nn.Linear` draws them, with a bias of zero."
)
_BASELINE = (_LDAM_SCHEDULE, _LDAM_HEAD)

# Stated of NC-DRW, and measured with it on CIFAR-10-LT at ratio 100, seed 0.
_STATED = "d4216db1a9fa0f83"  # laptop, bf16
_TERMS = (
    Difference(
        "The released code has class centres that are free parameters with an optimiser of their "
        "own, so that L_B reaches the network through L_W alone; here the means of those classes "
        "that the batch has.",
        (_STATED, "278f9a08a743487d"),
    ),
    Difference("The released code divides L_W by K.", (_STATED, "1087ed5d25e88821")),
    Difference(
        "The paper has mixup, with a parameter that it does not print, and its released code has "
        "none; here Beta(1, 1).",
        ("5471fc87d6b6ee34", "97e515bf50f506b4"),
    ),
    Difference(
        "The paper does not say on which images the terms act under mixup; here on mixed ones. The "
        "other reading is the option `terms_on`.",
        ("4b6fd38367c0845a", "d99e54f129454e80"),
    ),
    Difference(
        "The paper prints weight decay 0.005; here 5e-4, as the released code has it.",
        (_STATED, "7c368c3cd5d26ba2"),
    ),
    Difference(
        "The released script re-weights from epoch 70 on; here from epoch 160 of 200.",
        (_STATED, "66802596118b006e"),
    ),
    Difference(
        "The released script cuts the learning rate at epochs 115 and 175; here at 160 and 180, as "
        "the paper prints.",
        (_STATED, "63809caffe6e47d7"),
    ),
    Difference(
        "The released script warms up for five epochs, by epoch; here for a fortieth of the "
        "epochs, by step.",
        (_STATED, "eaf634d2d9cbaeaa"),
    ),
    Difference(
        "The released code begins linear layers with Kaiming's normal weights; here they begin as "
        "`torch.nn.Linear` draws them, with a bias of zero.",
        (_STATED, "045345aadc390c34"),
    ),
)
_OF_TERMS = _unmeasured(_TERMS)
_SETTING = (_OF_TERMS[2], _OF_TERMS[4], *_OF_TERMS[6:])
# Rows that Liu et al. quote in one table and train in their own setting in another.
_OF_LIU = (_OF_TERMS[2], *_OF_TERMS[4:])
_WITHOUT_DRW = (*_OF_TERMS[:5], *_OF_TERMS[6:])
_TERMS_OF_OTHERS = _unmeasured(_TERMS[:2])
_RETRAINED = "ebbbd7ffcf21adb8"  # laptop
_RETRAINING = (
    Difference(
        "The class-aware sampler of the released code shows K times the largest class an epoch, "
        "four images of a class in a row, in lists that go on; here N images, one in a row. The "
        "other is the option `second_sampler`.",
        (_RETRAINED, "1b10a500641d8677"),
    ),
    Difference(
        "The second stage of the released code has a learning rate of 0.005; here 0.05, with the "
        "same cosine."
    ),
)
_BATCH_NORM = Difference(
    "In the released code the statistics of batch norm move on in the second stage; here they "
    "stay. That is `nc-drw-crt-shift`.",
    (_RETRAINED, "84fe6727120e6701"),
)

_DECOUPLED = (
    Difference(
        "On ImageNet-LT Kang et al. train the first stage for 90 epochs with batches of 512 at the "
        "learning rate 0.2; here as the other rows of the table: 200, 256, 0.05."
    ),
    Difference(
        "Kang et al. have batches of 512 and a learning rate of 0.2 in the second stage; here 256 "
        "and 0.1. Other profiles have 0.05."
    ),
    Difference(
        "Only the paper profile has the sampler of their code, `class_aware_cyclic`; elsewhere an "
        "epoch of the second stage shows N images."
    ),
)
_LOGIT_ADJUST = (
    Difference(
        "Menon et al.'s code trains another network of the name, of fifteen bottleneck blocks, "
        "with Nesterov momentum, weight decay 1e-4 in the loss, and for more than 1,200 epochs; "
        "here the ResNet-32 and the schedule of the other rows."
    ),
)
_SMOOTHED = "240db1535eac6b43"  # laptop, bf16
_MISLAS = (
    Difference(
        "In the second stage their code multiplies the classifier's learning rate by 0.5 and 0.2 "
        "(CIFAR-10-LT at ratio 100 and 10), 0.2 and 0.1 (CIFAR-100-LT), 0.05 (ImageNet-LT), and "
        "that of the scales by one; here both have the same."
    ),
    Difference(
        "Their second stage draws the classes in turns and cuts the learning rate by epoch; here a "
        "class is drawn at random, with replacement, and the rate falls by step."
    ),
    Difference(
        "Their released code spreads the smoothed share over all K classes; here, as in the paper, "
        "over the K − 1 others."
    ),
    Difference(
        "On ImageNet-LT they train a ResNet-50 for 180 epochs at the learning rate 0.1, with mixup "
        "of Beta(0.2, 0.2); here the network and schedule of the other rows, and Beta(1, 1)."
    ),
    Difference(
        "Laptop profile: smoothing of 0.4 and 0.1; they have 0.3 and 0 on this set.",
        (_SMOOTHED, "1a7e043050587d1e"),
    ),
    Difference(
        "Laptop profile: the statistics of batch norm shift; they stay in their code on this set.",
        (_SMOOTHED, "ea0686d886c0d77d"),
    ),
    Difference(
        "Laptop profile: the second stage has the learning rate 0.05; they have 0.1.",
        (_SMOOTHED, "d31eef9a686192ae"),
    ),
)
_RIDE = (
    Difference("It is the first stage: nothing is distilled, and no image is routed past experts."),
    Difference(
        "They have no run on CIFAR-10-LT; here it is trained as CIFAR-100-LT is, but with a "
        "diversity of 0.2 instead of 0.45."
    ),
)
_RIDE_TERMS = Difference(
    "The paper does not say what its terms see of several experts; here the features of all of "
    "them side by side, each expert's of unit norm."
)
_CONTRAST = (
    Difference(
        "The released code for CIFAR compares the two views of a batch of 256 among themselves; "
        "here a momentum encoder with a queue, as in its code for ImageNet-LT."
    ),
    Difference(
        "The queue has 4,096 keys, since the smaller of the sets has 10,847 images; on ImageNet-LT "
        "theirs has 65,536."
    ),
    Difference(
        "Their images are augmented more strongly: random resized crops, colour jitter, and on "
        "CIFAR grey images; here crops and flips, on ImageNet-LT RandAugment."
    ),
    Difference(
        "On ImageNet-LT their second stage draws four images of a class in a row, without weight "
        "decay and with other learning rates; here a class is drawn at random, at 0.05."
    ),
)
_KCL = Difference("The code that is followed is the reimplementation by the authors of TSC.")
_TSC = (
    Difference(
        "Their targets are found by descent; here they are the vertices of a simplex ETF, or with "
        "more classes than it has room for, directions found by descent as well."
    ),
    Difference(
        "On ImageNet-LT the cosine of their learning rate starts again when the targets come; here "
        "it goes on."
    ),
    Difference(
        "Other profiles weigh the pull to the target as the paper's equation does, a term of its "
        "own; the paper profile has it among the positives, as the released code."
    ),
)
_ETF_DR = (
    Difference(
        "On ImageNet-LT they train a ResNet-50 for 90 epochs with batches of 1,024; here the "
        "network and schedule of the other rows."
    ),
    Difference(
        "On CIFAR-100-LT the network is twice as wide as that of the other rows, as theirs is."
    ),
    Difference(
        "Laptop profile: weight decay 5e-4; they have 2e-4.",
        ("fec91d86e5457d0e", "1ced12866c87c3b3"),
    ),
)
_LDAM = (
    Difference("They train no ImageNet-LT; here it has the schedule of the other rows."),
    Difference(
        "Laptop profile: the learning rate is cut to a tenth at either milestone; they cut it to a "
        "hundredth.",
        ("35df1ec5cb6c0620", "1453c1edd993a870"),
    ),
    Difference(
        "Laptop profile: weight decay 5e-4; they have 2e-4.",
        ("35df1ec5cb6c0620", "7b528f1fa4c8314f"),
    ),
)
_CENTER = (
    Difference(
        "Wen et al. move their centres by a rate of their own; here they are batch means, as those "
        "of the other terms."
    ),
    Difference(
        "The paper states no normalisation of center loss; here it is the mean over the batch with "
        "the strength Kλ₁, so that a class-balanced batch weighs it as L_W."
    ),
)

_PAL = (
    Difference(
        "The code of Li et al. has targets of 1/m for an image with m labels on its canvases, and "
        "of 1 on SVHN; here 1. The other is the option `normalise`."
    ),
    Difference(
        "Their code adds the squared norms of the batch's features to the loss; here weight decay "
        "alone. The method `plain` with the loss `pal` has that penalty."
    ),
)
_PAL_ETF = Difference(
    "Their features have as many dimensions as there are classes, and no layer of their own; here "
    "dimension and layer are those of the run."
)

_OF_TABLE = Difference(
    "Its row in the tables of long-tailed images with several labels was trained by Wu et al. with "
    "SGD for eight epochs on 224² images; here network and schedule are those of the run."
)
_DB = (
    Difference(
        "Their images are VOC-LT and COCO-LT at 224², with a ResNet-50 and a hidden layer of 256 "
        "units; here those of the run."
    ),
    Difference(
        "Their class-aware sampler shows three images of a class in a row, in epochs that depend "
        "on the largest class; here one in a row, in epochs of N images."
    ),
    Difference(
        "Their code has μ = 0.2 and λ = 2 on COCO-LT; here, by default, VOC-LT's 0.3 and 5."
    ),
)
_TWO_WAY = (
    Difference(
        "Kobayashi trains on MS COCO 2014 with SGD, batches of 512, and a tenth of the learning "
        "rate below the classifier; here network and schedule are those of the run."
    ),
    Difference(
        "In their code for several processes the columns are those of a process's own images; here "
        "of the whole batch."
    ),
)
_MLC_NC = (
    Difference(
        "The released code trains the classifier, which only starts as a simplex ETF; here, as the "
        "paper says, it is fixed. The other is the option `classifier`."
    ),
    Difference(
        "The released code has multi-head attention with queries of 768 dimensions, a linear layer "
        "before it, and a dropout of 0.1; the paper has cosine attention. Both are feature layers "
        "of the run, here without dropout, since a run that goes on must draw the same."
    ),
    Difference("The released code has β = 0.1; here, as in the paper, 0.2."),
    Difference(
        "The centres of the released code are means over all epochs so far; here, as in the paper, "
        "of the last. The other is the option `centres`, which also has running means by batch."
    ),
    Difference(
        "The released code divides L_FPC by the number of positive pairs; here, as equation 9, by "
        "that of images. The other is the option `collapse_by`."
    ),
    Difference(
        "The released code has five epochs of L_FLA alone first; the paper says nothing of it, and "
        "here there are none. The other is the option `alignment_epochs`."
    ),
    Difference(
        "The released code adds 1e-6 to what it takes the logarithm of; here it is at least 1e-6."
    ),
    Difference(
        "Equation 13 divides the two sums by the numbers of rows and columns; here, as in the code "
        "of both papers, by those of rows and columns that have a positive."
    ),
    Difference(
        "Their class-aware epochs have the number of classes times the largest class; here N "
        "images."
    ),
    Difference(
        "They train with Adam, one cycle of the learning rate and an EMA of 0.9997 for 100 epochs, "
        "without weight decay of biases and scales; here schedule and optimiser are the run's."
    ),
    Difference(
        "They report the best epoch on the test images, and flip those at random; here the last, "
        "and no flips."
    ),
    Difference(
        "Ablations are options: α = 0 leaves out the alignment, β = 0 the collapse, and "
        "`classifier` `class-wise` the fixed classifier and the concatenation. Without L_FPC the "
        "paper also leaves out the projection, it seems; here it stays."
    ),
)

_MLCNC, _WU, _RIDNIK = "tao2025mlcnc", "wu2020distribution", "ridnik2021asymmetric"
_LIU, _CAO, _CUI = "liu2023inducing", "cao2019learning", "cui2019class"
_LI, _MENON = "li2024multilabel", "menon2019multilabel"
_CREDITS: dict[str, tuple[tuple[str, ...], tuple[Difference, ...]]] = {
    "plain": (("classencoding2026",), ()),
    "ce": ((_LIU, _CAO), (*_BASELINE, *_OF_LIU)),
    "mse": ((_LIU, "han2022neural"), _SETTING),
    "ce-rs": (
        (_CAO, "kang2020decoupling"),
        (
            *_BASELINE,
            Difference(
                "In Cao et al.'s code the sampler is set after the loader was made, so it has no "
                "effect; here it draws a class at random, then an image of it."
            ),
        ),
    ),
    "ce-rw": (
        (_LIU,),
        (
            *_BASELINE,
            Difference(
                "Cao et al.'s code weights by effective numbers; here inversely to the class size, "
                "as the paper says. The other is `ce-rw-effective`."
            ),
        ),
    ),
    "ce-rw-effective": (
        (_CUI,),
        (
            *_BASELINE,
            Difference(
                "Cui et al. divide the weighted sum by the number of images; here by the sum of "
                "their weights, as Cao et al.'s code."
            ),
        ),
    ),
    "ce-drw": ((_CAO, _LIU), (*_BASELINE, *_OF_LIU)),
    "ldam-drw": ((_CAO,), _LDAM),
    "ce-drw-center": ((_LIU, "wen2016discriminative"), (*_CENTER, *_OF_TERMS[2:])),
    "ce-drw-lw": ((_LIU,), _OF_TERMS),
    "ce-drw-lb": ((_LIU,), (_OF_TERMS[0], *_OF_TERMS[2:])),
    "ce-drw-center-lb": ((_LIU, "wen2016discriminative"), (*_CENTER, *_OF_TERMS[2:])),
    "nc-drw": ((_LIU,), _TERMS),
    "nc-drw-crt": ((_LIU, "kang2020decoupling"), (*_OF_TERMS, *_RETRAINING, _BATCH_NORM)),
    "nc-drw-crt-shift": (
        (_LIU, "kang2020decoupling"),
        (*_OF_TERMS, *_unmeasured(_RETRAINING)),
    ),
    "ce-crt": (("kang2020decoupling",), _DECOUPLED),
    "ce-lws": (("kang2020decoupling",), _DECOUPLED),
    "tau-norm": (
        ("kang2020decoupling",),
        (
            _DECOUPLED[0],
            Difference("They choose τ on validation images; here it is an option, 1 by default."),
        ),
    ),
    "logit-adjust": (("menon2021longtail",), _LOGIT_ADJUST),
    "logit-adjust-post-hoc": (("menon2021longtail",), _LOGIT_ADJUST),
    "focal": (
        ("lin2017focal",),
        (
            Difference(
                "Lin et al. train a detector, with a sigmoid for each class and a weight for the "
                "background; here the softmax."
            ),
            Difference("Cao et al.'s code has γ = 1; here γ = 2, as Lin et al."),
        ),
    ),
    "cb-focal": (
        (_CUI,),
        (
            Difference(
                "Cui et al. have a sigmoid for each class, and choose β and γ for each data set; "
                "here the softmax, with 0.9999 and 2."
            ),
        ),
    ),
    "balanced-softmax": (
        ("ren2020balanced",),
        (
            Difference(
                "Their code augments with AutoAugment and Cutout, and can learn a sampler beside; "
                "here crops and flips, and no such sampler."
            ),
        ),
    ),
    "arb": (
        ("xie2023neural",),
        (
            Difference("The commands of their code have mixup; here, as in the table, none."),
            Difference(
                "Their code for ImageNet-LT takes the class sizes of the whole training set; here "
                "those of the batch."
            ),
        ),
    ),
    "mislas": (("zhong2021improving",), _MISLAS),
    "etf-dr": (("yang2022inducing",), _ETF_DR),
    "ce-nc": ((_LIU,), _WITHOUT_DRW),
    "mse-nc": ((_LIU,), _WITHOUT_DRW),
    "ldam-drw-nc": ((_LIU, _CAO), (_LDAM[0], *_TERMS_OF_OTHERS)),
    "logit-adjust-nc": ((_LIU, "menon2021longtail"), (*_LOGIT_ADJUST, *_TERMS_OF_OTHERS)),
    "ride-2": (("wang2021longtailed",), _RIDE),
    "ride-3": (("wang2021longtailed",), _RIDE),
    "ride-4": (("wang2021longtailed",), _RIDE),
    "ride-2-nc": ((_LIU, "wang2021longtailed"), (*_RIDE, _RIDE_TERMS, *_TERMS_OF_OTHERS)),
    "ride-3-nc": ((_LIU, "wang2021longtailed"), (*_RIDE, _RIDE_TERMS, *_TERMS_OF_OTHERS)),
    "ride-4-nc": ((_LIU, "wang2021longtailed"), (*_RIDE, _RIDE_TERMS, *_TERMS_OF_OTHERS)),
    "bbn": (
        ("zhou2020bbn",),
        (Difference("The warm-up is that of the other rows; it was not compared with theirs."),),
    ),
    "fcl-features": (("kang2021exploring",), (_KCL, *_CONTRAST)),
    "kcl-features": (("kang2021exploring",), (_KCL, *_CONTRAST)),
    "tsc-features": (("li2022targeted",), (*_CONTRAST, *_TSC)),
    "fcl": (("kang2021exploring",), (_KCL, *_CONTRAST)),
    "kcl": (("kang2021exploring",), (_KCL, *_CONTRAST)),
    "tsc": (("li2022targeted",), (*_CONTRAST, *_TSC)),
    "pal": ((_LI, _MENON), _PAL),
    "pal-etf": ((_LI, _MENON), (*_PAL, _PAL_ETF)),
    "bce": ((_MENON,), ()),
    "bce-etf": ((_MENON, _LI), ()),
    "bce-rs": ((_WU, "shen2016relay"), (_OF_TABLE, _DB[1])),
    "bce-rw": (
        (_WU,),
        (
            _OF_TABLE,
            Difference(
                "Their code divides the weights by the largest; here they sum to the number of "
                "classes."
            ),
        ),
    ),
    "bce-focal": (
        ("lin2017focal", _WU),
        (_OF_TABLE, Difference("Their code multiplies the loss by 2; here by 1.")),
    ),
    "bce-cb-focal": (
        (_CUI, _WU),
        (
            _OF_TABLE,
            Difference("Their code multiplies the loss by 2; here by 1."),
            Difference(
                "Cui et al.'s code weighs all entries of an image by its one class; here each "
                "entry by its own class."
            ),
        ),
    ),
    "bce-ldam": (
        (_CAO, _WU),
        (
            _OF_TABLE,
            Difference(
                "No code of LDAM with a sigmoid for each class is released with the tables; here "
                "positives have the margins of Cao et al., on cosines times 30."
            ),
        ),
    ),
    "asl": (
        (_RIDNIK,),
        (
            Difference(
                "They train on MS COCO at 448² with Adam, one cycle of the learning rate and an "
                "EMA; here network and schedule are those of the run."
            ),
            Difference("Their code clamps probabilities at 1e-8 in logarithms; here none."),
        ),
    ),
    "db": ((_WU,), _DB),
    "db-focal": ((_WU,), _DB),
    "two-way": (("kobayashi2023twoway",), _TWO_WAY),
    "mlc-nc": ((_MLCNC,), _MLC_NC),
}


def credited(method: Method) -> Method:
    """A method of this package with its sources and differences.

    Raises:
        KeyError: if it has no entry here.
    """
    sources, differences = _CREDITS[method.name]
    return replace(method, sources=sources, differences=differences)
