"""What a network sees in every clip: the one store of pooled features that notebooks
share.
"""

from itertools import count

from toolbox.clips import (
    batches,
    frames_shown,
    open_video,
    result_or_problem,
    shown_in,
    to_network_size,
)
from toolbox.models.efficientnet import efficientnet_backbone
from toolbox.page import in_threads, progress
from toolbox.store import file_of, is_made, making, npy_header, read_csv, read_note

import numpy as np


def pooled_network(dataset, engine=None):
    """EfficientNet-Lite0 as it looks at clips for the store, pooled; see
    `toolbox.models.efficientnet_backbone`.
    """
    network = efficientnet_backbone(dataset.weights.parent, engine=engine)
    return network.using(pooled=True)


def store_of(dataset, network):
    """The folder that keeps what a pooled network sees in a dataset's clips."""
    return dataset.data / "pooled" / network.name


def pooled_clips(dataset, per_second=4, network=None):
    """What a network sees in a dataset's clips at 0, 1 / per_second, ... seconds, the
    means over all positions; computed once, and kept in `data/<dataset>/pooled/` for
    all notebooks.

    network: a pooled Backbone, or None. Returns (videos, clips, problems):
    the rows of `videos.csv` that can be used, numbered anew; an array (n,) of their
    features, each float32 (frames, d); and a dict from clip to text for what was odd or
    broken. Raises ValueError if no clip can be used.
    """
    network = network or pooled_network(dataset)

    def look(path, odd):
        return look_at(path, network, per_second, odd)

    videos, folder = read_csv(dataset.data / "videos.csv"), store_of(dataset, network)
    remove_older(folder.parent, "*.np*")  # one store for each network since
    of = [network.facts, per_second]
    features, problems = features_of_clips(look, videos, dataset.folder, folder, of)
    videos = videos[videos["clip"].isin(list(features))].reset_index(drop=True)
    if videos.empty:
        raise ValueError(f"None of the clips of {dataset.name} can be used: {problems}")
    return videos, as_array([features[clip] for clip in videos["clip"]]), problems


def as_array(clips):
    """A list of features (frames, d), of clips of any lengths, as an array (n,) of
    objects.
    """
    array = np.empty(len(clips), object)
    array[:] = clips
    return array


def look_at(path, network, per_second, problems=None, bar=None):
    """The features (n, ...) float32 of what a video shows at 0, 1 / per_second, ...
    seconds. Memory holds a batch of frames.

    network: a `toolbox.models.Backbone`; problems: as in `frames_shown`; bar: is
    updated by the seconds of video that were looked at. Raises ValueError if the video
    can't be read.
    """
    features, shown = [], frames_shown(path, per_second, problems)
    for batch in batches((to_network_size(frame, network.size) for frame in shown), 16):
        features.append(network(np.stack(batch)))
        if bar is not None:
            bar.update(len(batch) / per_second)
    return np.concatenate(features)


def rows_seen(path, classifier, about, kept=None, bar=None):
    """Yield the features (d,) float16 that a `SavedClassifier` sees in a video at 0,
    1 / per_second, ... seconds. Memory holds one picture.

    about: a dict, to which is added, in the end, `frames`, how many were looked at, and
    `seconds`, `late` and `problem`, see `toolbox.models.Answer`; kept: a file
    (`.npy`) that keeps the features, and from which they come the next time, also for
    another classifier that sees the same; bar: is updated by the seconds that were
    looked at. Raises ValueError if the video can't be read.
    """
    if kept is None:
        yield from looked_at(path, classifier, about, bar)
        return
    facts = classifier.facts
    of = path, facts["sees"], facts["per_second"], classifier.path.name
    if not is_made(kept, *of):
        writing = making(kept, *of, about=about)
        with writing as unfinished, open(unfinished, "wb") as file:
            for row in looked_at(path, classifier, about, bar):
                if not file.tell():  # a header is as long for any number of rows
                    file.write(npy_header((0, len(row))))
                file.write(row.tobytes())
            file.seek(0)
            file.write(npy_header((about["frames"], len(row))))
    about |= read_note(kept)["about"]
    yield from np.load(kept, mmap_mode="r")


def looked_at(path, classifier, about, bar):
    """What `rows_seen` yields, from the video."""
    rate, frames = classifier.facts["per_second"], 0
    with open_video(path) as video:
        for frame in shown_in(video, (k / rate for k in count())):
            yield classifier.look(to_network_size(frame)).astype("float16")
            frames += 1
            if bar is not None:
                bar.update(1 / rate)
        about |= {"frames": frames, "seconds": float(video.end)}
        about |= {"late": float(video.late), "problem": video.problem}


def features_of_clips(
    look, videos, source, folder, of, threads=None, desc="look at clips"
):
    """The features of many clips, each kept in a file as it is made.

    look: look(path, problems) returns the features (n, ...) of a video's frames; a
    ValueError of its becomes the clip's problem. videos: DataFrame with `clip` and
    `video` (a path below `source`); folder: keeps `<clip>.npy`, float16, beside notes,
    see `toolbox.store.making`, and its errors; of: what the features depend on beside
    the video, see `digest_of`; threads: that look at clips at once, or None for this
    one alone; desc: what the bar says.

    Returns (features, problems): a dict from clip to a float32 array (n, ...) for those
    that can be used, and a dict from clip to text for what was odd or broken.
    """

    def read(row):
        path, kept = source / row["video"], folder / f"{row['clip']}.npy"
        if not file_of(path).is_file():
            raise ValueError("the file is missing")
        if not is_made(kept, path, of):
            odd = []
            with making(kept, path, of, odd=odd) as temporary:
                save_features(look(path, odd), temporary)
        return np.load(kept).astype("float32"), "; ".join(read_note(kept)["odd"])

    def answer(row):
        return result_or_problem(read, row)

    remove_older(folder, "*.npz")
    rows, features, problems = videos.to_dict("records"), {}, {}
    answers = in_threads(answer, rows, threads) if threads else map(answer, rows)
    answers = progress(answers, total=len(rows), desc=desc, unit="clip")
    for row, (found, problem) in zip(rows, answers, strict=True):
        if found:
            features[row["clip"]], problem = found
        if problem:
            problems[row["clip"]] = problem
    return features, problems


def save_features(features, path):
    """Save features as float16. Raises FloatingPointError if one is above 65,504."""
    with np.errstate(over="raise"), open(path, "wb") as file:
        np.save(file, np.asarray(features, "float16"))


def remove_older(folder, pattern):
    """Remove features that an older version of the course kept, and say so."""
    if older := [file for file in folder.glob(pattern) if file.is_file()]:
        print(f"{folder.name}/ holds features of an older version: they are made anew.")
        for file in older:
            file.unlink()


def pictures_of(path, per_second):
    """What a network takes of a clip: RGB uint8 (frames, 224, 224, 3), at 0, 1 /
    per_second, ... seconds. Raises ValueError if it can't be read.
    """
    return np.stack([*map(to_network_size, frames_shown(path, per_second))])


def see(network, clips, text):
    """The features of clips of pictures, a list of arrays (frames, ...), one for each.

    network: a `toolbox.models.Backbone`; clips: a list of RGB uint8 (frames, 224, 224,
    3), of any lengths; text: what the bar calls them.
    """
    bar = progress(total=sum(map(len, clips)), desc=text, unit="frame")
    features = []
    for batch in batches((picture for clip in clips for picture in clip), 16):
        features.append(network(np.stack(batch)))
        bar.update(len(batch))
    bar.close()
    ends = np.cumsum([len(clip) for clip in clips])
    return np.split(np.concatenate(features), ends[:-1])


def each(function, *parts):
    """What a function returns for every picture of every clip: a list of arrays, one
    for each clip. It gets an item of each of the parts, lists of an array (frames, ...)
    for each clip.
    """
    clips = (zip(*clip, strict=True) for clip in zip(*parts, strict=True))
    return [np.stack([function(*one) for one in clip]) for clip in clips]
