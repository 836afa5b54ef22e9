"""toolbox.page.knobs: knobs that make no sense are told in one sentence."""

from toolbox.page.knobs import check_knobs

import pytest


def test_knobs_in_their_range_pass():
    check_knobs(
        LOW=(0.1, 0.1, 0.5),
        HIGH=(0.5, 0.1, 0.5),
        WHOLE_FOR_A_NUMBER=(1, 0.5, 10.0),
        WHOLE=(16, 1, 16),
        THREADS=(None, 1, 16, None),
        SOME_THREADS=(2, 1, 16, None),
        WAY=(None, [None, "keras"]),
        SPLIT=("split_by_group", ["split_by_frame", "split_by_group"]),
    )


@pytest.mark.parametrize(
    ("knob", "sentence"),
    [
        ((30, 0.1, 0.5), "KNOB = 30: it must be a number from 0.1 to 0.5."),
        ((-1, 0.5, 10.0), "KNOB = -1: it must be a number from 0.5 to 10.0."),
        (
            (float("nan"), 0.5, 10.0),
            "KNOB = nan: it must be a number from 0.5 to 10.0.",
        ),
        (("1", 0.5, 10.0), "KNOB = '1': it must be a number from 0.5 to 10.0."),
        ((2.5, 1, 16), "KNOB = 2.5: it must be a whole number from 1 to 16."),
        ((True, 1, 16), "KNOB = True: it must be a whole number from 1 to 16."),
        ((17, 1, 16), "KNOB = 17: it must be a whole number from 1 to 16."),
        ((None, 1, 16), "KNOB = None: it must be a whole number from 1 to 16."),
        ((0, 1, 16, None), "KNOB = 0: it must be a whole number from 1 to 16 or None."),
        (("c", ["a", "b"]), "KNOB = 'c': it must be one of 'a', 'b'."),
    ],
)
def test_others_are_told_in_one_sentence(knob, sentence):
    with pytest.raises(ValueError) as caught:
        check_knobs(FINE=(1, 1, 2), KNOB=knob)
    assert str(caught.value) == sentence
