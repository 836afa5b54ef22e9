"""The picture, the captions and the measures of a video's segments."""

from toolbox.evaluation.segments import (
    films_of,
    frame_accuracy,
    mean_average_precision,
    score_films,
)
from toolbox.models.answers import clock, seconds_of, segments_of, write_subtitles
from toolbox.plots.timeline import caption_at, colours_of, draw_timeline

import numpy as np
import pandas as pd
import pytest

CLASSES = ["Jump", "Run", "Walk"]


def table(*rows, columns="start end class"):
    return pd.DataFrame(rows, columns=columns.split())


def found(*rows):
    return table(*rows, columns="start end class probability")


def frames(count):
    return [np.full((48, 64, 3), 20 * k, np.uint8) for k in range(count)]


# Walk for 2 seconds, nothing for 1, Run for 3, at 4 moments a second
SEGMENTS = table((0, 2, "Walk"), (2, 3, "none of these"), (3, 6, "Run"))
MOMENTS = [[0.1, 0.1, 0.8]] * 8 + [[0.3, 0.3, 0.4]] * 4 + [[0.2, 0.7, 0.1]] * 12
MOMENTS = np.array(MOMENTS)


def texts(axis):
    return [text.get_text() for text in axis.texts]


def legend_of(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def bar_of(bar):
    """(start, end, colour) of each segment of a bar."""
    colours = map(tuple, bar.get_facecolors()[:, :3])
    spans = [path.vertices[[0, 2], 0] for path in bar.get_paths()]
    return [(*span, colour) for span, colour in zip(spans, colours, strict=True)]


def test_frames_curves_and_bars_share_the_time():
    truth = table((0, 2.5, "Walk"), (2.5, 6, "Cat"))  # a cat is none of the classes
    figure = draw_timeline(frames(4), MOMENTS, SEGMENTS, CLASSES, 4, truth, "Found")
    strip, curves, bar = figure.axes
    assert [axis.get_xlim() for axis in figure.axes] == [(0, 6)] * 3
    middles = [np.mean(image.get_extent()[:2]) for image in strip.images]
    assert middles == pytest.approx([0.75, 2.25, 3.75, 5.25])
    assert [image.get_array()[0, 0, 0] for image in strip.images] == [0, 20, 40, 60]
    assert legend_of(curves) == ["Run", "Walk", "Jump"]  # 3 seconds, 2, none
    values, edges, _ = curves.patches[0].get_data()
    np.testing.assert_allclose(values, MOMENTS[:, 1])
    np.testing.assert_allclose(edges, np.arange(25) / 4)
    colour = colours_of(CLASSES)
    grey, shown = colour["none of these"], [p.get_edgecolor() for p in curves.patches]
    assert [one[:3] for one in shown] == [colour[n] for n in legend_of(curves)]
    assert list(map(bar_of, bar.collections)) == [
        [(0, 2, colour["Walk"]), (2, 3, grey), (3, 6, colour["Run"])],
        [(0, 2.5, colour["Walk"]), (2.5, 6, grey)],
    ]
    assert texts(bar) == ["Walk", "none of these", "Run", "Walk", "Cat"]


def test_two_hours_of_a_hundred_classes():
    """200 segments of 36 s: at even places of class 0, else of 0, 1, ... 99."""
    classes = [f"class {place} with a long name" for place in range(101)]
    assert len(set(map(tuple, colours_of(classes).values()))) == 102
    labels = [0 if place % 2 == 0 else place // 2 for place in range(200)]
    moments = np.full((28_800, 101), 0.001)
    moments[np.arange(28_800), np.repeat(labels, 144)] = 0.9
    rows = [(36 * k, 36 * k + 36, classes[label]) for k, label in enumerate(labels)]
    _, curves, bar = draw_timeline(frames(10), moments, table(*rows), classes, 4).axes
    assert bar.get_xlim() == (0, 120)  # minutes
    assert texts(bar) == [] and len(bar_of(bar.collections[0])) == 200  # no name fits
    assert len(curves.patches) == 5
    values, edges, _ = curves.patches[0].get_data()
    assert len(values) <= 500
    # class 0 has 101 of the 200 segments: 14,544 of the 28,800 moments
    mean = (14_544 * 0.9 + 14_256 * 0.001) / 28_800
    assert np.average(values, weights=np.diff(edges)) == pytest.approx(mean)


def test_a_caption_has_its_segments_class_and_its_moments_probability():
    caption = caption_at(SEGMENTS, MOMENTS, CLASSES, 4)
    times = np.arange(240) * 1001 / 30000  # two seconds more than there are segments
    expected = np.where(times < 3, "none of these", "Run 70%")
    expected[times < 2] = "Walk 80%"
    assert [caption(time) for time in times] == expected.tolist()
    # a short run was merged into its neighbour: the segment's class is shown
    moments = np.array([[0.874, 0.126], [0.3, 0.7], [0.996, 0.004]])
    caption = caption_at(table((0, 3, "A")), moments, ["A", "B"], 1)
    said = [caption(seconds) for seconds in (0, 0.99, 1, 1.5, 2, 100)]
    assert said == ["A 87%", "A 87%", "A 30%", "A 30%", "A 100%", "A 100%"]


NO = "none of these"


@pytest.mark.parametrize(
    ("truth", "segments", "expected"),
    [
        # of 10 s, right from 0 to 2 and from 4 to 9
        ([(0, 4, "A"), (4, 10, "B")], [(0, 2, "A"), (2, 9, "B"), (9, 10, NO)], 0.7),
        # only true segments count: right are 2 to 3 and 6 to 7
        ([(1, 3, "A"), (5, 7, NO)], [(0, 2, "B"), (2, 5.5, "A"), (6, 8, NO)], 0.5),
    ],
)
def test_frame_accuracy_by_hand(truth, segments, expected):
    assert frame_accuracy(table(*segments), table(*truth)) == pytest.approx(expected)


A, LATER, LONG = (0, 4, "A"), (10, 14, "A"), (0, 6, "A")


@pytest.mark.parametrize(
    ("truth", "segments", "iou", "expected"),
    [
        # false, right (precision 1/2), right (2/3); interpolated, both have 2/3. B is
        # never found: 0. The mean: 1/3
        ([A, LATER, (4, 9, "B")], [(20, 30, "A", 3), (*A, 2), (*LATER, 1)], 0.5, 1 / 3),
        # found a second time is a false alarm: right, false, right: (1 + 2/3) / 2
        ([A, LATER], [(*A, 3), (*A, 2), (*LATER, 1)], 0.5, 5 / 6),
        # 0-6 and 2-8 share 4 of 8 seconds: 0.5
        ([LONG], [(2, 8, "A", 1)], 0.5, 1),
        ([LONG], [(2, 8, "A", 1)], 0.51, 0),
        # 3-10 overlaps 0-6 by 3 of 10 and 5-10 by 5 of 7; it takes the second
        ([LONG, (5, 10, "A")], [(3, 10, "A", 2), (*LONG, 1)], 0.3, 1),
        # "none of these" is neither found nor missed
        ([A, (4, 10, NO)], [(4, 10, NO, 2), (*A, 1), (0, 4, "B", 3)], 0.5, 1),
    ],
)
def test_mean_average_precision_by_hand(truth, segments, iou, expected):
    precision = mean_average_precision(found(*segments), table(*truth), iou)
    assert precision == pytest.approx(expected)


def test_a_segment_counts_in_its_own_video():
    """Of three, only b's is found where it is (second: precision 1/2): 1/6."""
    truth = table(A, LATER, (20, 24, "A")).assign(video=list("abc"))
    truth.index = [0, 0, 0]  # as pd.concat leaves it
    segments = found((*A, 3), (*LATER, 2), (*LATER, 1)).assign(video=list("bba"))
    assert mean_average_precision(segments, truth) == pytest.approx(1 / 6)


def moments_with(likeliest):
    """Moments of A and B, of which the likeliest has 0.8; "-": both alike."""
    shares = {"-": (0.5, 0.5), "A": (0.8, 0.2), "B": (0.2, 0.8)}
    return np.array([shares[name] for name in likeliest])


@pytest.mark.parametrize(
    ("likeliest", "expected"),
    [
        ("AABBB", [(0, 1, "A", 0.8), (1, 2.5, "B", 0.8)]),
        ("AA--", [(0, 1, "A", 0.8), (1, 2, NO, 0.5)]),
        # a segment of half a second goes to its longer neighbour
        ("AAABAABB", [(0, 3, "A", 0.7), (3, 4, "B", 0.8)]),
        ("AAAA-BBBBB", [(0, 2, "A", 0.8), (2, 5, "B", 0.75)]),
        ("B", [(0, 0.5, "B", 0.8)]),  # there is no other
    ],
)
def test_segments_by_hand(likeliest, expected):
    """Two moments a second; a class is named from 0.6 on."""
    segments = segments_of(moments_with(likeliest), ["A", "B"], 2, 0.6)
    pd.testing.assert_frame_equal(segments, found(*expected), check_dtype=False)


def test_films_are_scored_by_their_clips():
    """Clips of one class in a row are one true segment. All of a film is found, and
    nothing of another.
    """
    a, b = ("A", np.zeros((8, 1))), ("B", np.ones((4, 1)))

    def timeline_of(film):
        moments = moments_with("A" * 16 + "B" * 4 if len(film) == 20 else "-" * 12)
        return segments_of(moments, ["A", "B"], 4, 0.6)

    scores = score_films([[a, a, b], [a, b]], timeline_of, 4)
    assert scores == {"frame accuracy": 0.5, "mAP at IoU 0.5": 0.5}


def test_films_are_drawn_of_few_clips_too():
    clips, labels = [np.full((2, 1), k) for k in range(9)], np.array(list("abcdefghi"))
    films = films_of(clips, labels, count=5)
    assert [len(film) for film in films] == [4] * 5
    for film in films:
        numbers = [int(clip[0, 0]) for _, clip in film]
        assert len(set(numbers)) == 4
        assert [label for label, _ in film] == [labels[k] for k in numbers]
    assert len(films_of(clips[:2], labels[:2], count=1)[0]) == 4


def test_no_segment_ends_behind_the_video():
    segments = segments_of(moments_with("AAAABBBBB"), ["A", "B"], 4, 0.6, 2.02)
    assert segments["end"].tolist() == [1, 2.02]
    assert seconds_of(segments).to_dict() == pytest.approx({"B": 1.02, "A": 1})


def test_subtitles_begin_where_the_player_shows_the_first_picture(tmp_path):
    rows = [(0, 1.5, "A", 0.876), (1.5, 3725.25, "none of these", 0.5)]
    segments = table(*rows, columns="start end class probability")
    write_subtitles(segments, tmp_path / "a.srt", late=0.1)
    assert (tmp_path / "a.srt").read_text() == (
        "1\n00:00:00,100 --> 00:00:01,600\nA 88%\n\n"
        "2\n00:00:01,600 --> 01:02:05,350\nnone of these\n"
    )
    assert clock(59.9996) == "00:01:00,000"
