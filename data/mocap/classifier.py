"""Make `classifier.tflite` again, the small classifier that notebook 00 opens with: run
notebook 00 on mocap, then `PYTHONPATH=notebooks .venv/bin/python
data/mocap/classifier.py`.

It is notebook 11's classifier, trained on the training groups alone, with weights of 8
bits. In the end the file itself is asked about the test clips.
"""

from pathlib import Path

from toolbox.clips import open_dataset
from toolbox.evaluation import fitted, threshold_of
from toolbox.models import head_of, one_model, pooled_clips, pooled_network, seconds_of
from toolbox.models.saved_model import SavedClassifier, write_litert
from toolbox.page import progress
from toolbox.store import fingerprint, whole

from lessons import own_videos as lesson

COURSE = Path(__file__).resolve().parents[2]
KEEP = 0.9  # the share of moments of known classes that "none of these" lets pass


def main():
    dataset = open_dataset("mocap", after="00", course=COURSE)
    rate, size = lesson.PER_SECOND, lesson.SIZE
    videos, clips, _ = pooled_clips(dataset, rate, pooled_network(dataset))
    videos["path"] = [dataset.folder / video for video in videos["video"]]
    learned = (videos["part"] == "train").to_numpy()
    train, test = videos[learned], videos[~learned]
    known = clips[learned], train["class"].to_numpy(str)
    model = fitted(lesson.ClipClassifier(size), *known)
    threshold = threshold_of(model, *known, train["group"].to_numpy(str), KEEP)
    facts = {"name": "mocap", "made": "of its training groups", "keep": KEEP}
    facts |= {"classes": model.classes_.tolist(), "threshold": threshold}
    facts |= {"per_second": rate, "size": size, "sees": lesson.sees(dataset)}
    facts |= {"learned": sorted(map(fingerprint, train["path"]))}
    facts |= {"still_below": lesson.still_below(known[0], size)}
    shape = size, model.scaler_.n_features_in_ // 4
    head = head_of(model, lesson.describe, shape, model.classes_)
    whole_model = one_model(dataset.weights.parent, head, model.classes_, threshold)
    with whole(dataset.folder / "classifier.tflite") as file:
        write_litert(whole_model, file, facts, small=True)
    small = SavedClassifier(dataset.folder / "classifier.tflite")
    bar = progress(test["path"], desc="ask about test clips", unit="clip")
    called = [seconds_of(lesson.label_video(path, small).segments) for path in bar]
    right = (test["class"] == [seconds.index[0] for seconds in called]).sum()
    print(f"right on {right} of {len(test)} test clips, known recordings")


if __name__ == "__main__":
    main()
