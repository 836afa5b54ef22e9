"""Make `classifier.tflite` again, the small classifier that notebook 00 opens with: run
notebook 00 on mocap, then `PYTHONPATH=notebooks .venv/bin/python
data/mocap/classifier.py`.

It is notebook 11's classifier, trained on the training groups alone, with weights of 8
bits. In the end the file itself is asked about the test clips.
"""

from pathlib import Path

from toolbox.clips import open_dataset
from toolbox.evaluation import fitted, threshold_of
from toolbox.models import facts_of, model_of, pooled_clips, pooled_network, seconds_of
from toolbox.models.saved_model import SavedClassifier, write_litert
from toolbox.page import progress
from toolbox.store import whole

from lessons import own_videos as lesson

COURSE = Path(__file__).resolve().parents[2]
RATE, SIZE = 4, 8  # frames in a second, in a window
KEEP = 0.9  # the share of moments of known classes that "none of these" lets pass


def main():
    dataset = open_dataset("mocap", after="00", course=COURSE)
    videos, clips, _ = pooled_clips(dataset, RATE, pooled_network(dataset))
    learned = (videos["part"] == "train").to_numpy()
    train, test = videos[learned], videos[~learned]
    known = clips[learned], train["class"].to_numpy(str)
    model = fitted(lesson.ClipClassifier(SIZE), *known)
    threshold = threshold_of(model, *known, train["group"].to_numpy(str), KEEP)
    taught = known[0], train["video"], lesson.windows_of
    facts = {"made": "of its training groups", "keep": KEEP}
    facts = facts_of(dataset, model, *taught, threshold, RATE, **facts)
    target = dataset.folder / "classifier.tflite"
    with whole(target) as file:
        write_litert(model_of(dataset, model, threshold), file, facts, small=True)
    small = SavedClassifier(target)
    paths = [dataset.folder / video for video in test["video"]]
    bar = progress(paths, desc="ask about test clips", unit="clip")
    called = [seconds_of(lesson.label_video(path, small).segments) for path in bar]
    right = (test["class"] == [seconds.index[0] for seconds in called]).sum()
    print(f"right on {right} of {len(test)} test clips, known recordings")


if __name__ == "__main__":
    main()
