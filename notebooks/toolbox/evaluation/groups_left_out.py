"""Classifiers judged on groups that they never met."""

from toolbox.clips import evenly_spaced

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, GroupShuffleSplit
from threadpoolctl import threadpool_limits

FEWEST_CLIPS = 10  # of which a threshold is set


def check_groups(labels, groups):
    """Print which classes have one group alone: left out, nothing is left to learn
    them from. Raises ValueError if all clips are of one group.
    """
    if len(set(groups)) < 2:
        advice = (
            "This page needs two of them, and others to be held out: give more groups,"
            " in names, folders or groups.csv, and run notebook 00 again. make classify"
            " works with one."
        )
        raise ValueError(f"All training clips are of one group. {advice}")
    count = pd.Series(groups).groupby(labels).nunique()
    if names := list(count.index[count == 1]):
        print(f"of one group, so never found below: {', '.join(names)}")


def fitted(model, clips, labels):
    """A copy of a classifier, fitted; by one thread: more would only wait."""
    with threadpool_limits(1, "blas"):
        return clone(model).fit(clips, labels)


def judges(model, clips, labels, groups, learn=None, folds=10):
    """A dict from each group to a classifier that never met it, to be asked with
    `ask`; without a group for which there is nothing else to learn from.

    model: scikit-learn's interface, `fit(clips, labels)` and `predict_proba(clips)`;
    clips: (n,) array of objects; labels, groups: (n,); learn: (n,) bool, which clips
    may be learned from, or None for all; folds: with more groups than this, several are
    left out at once.
    """
    count, found = len(set(groups)), {}
    splits = GroupKFold(min(folds, max(2, count))).split(clips, groups=groups)
    for known, unseen in splits if count > 1 else ():
        known = known if learn is None else known[learn[known]]
        if len(known):
            judge = fitted(model, clips[known], labels[known])
            found |= dict.fromkeys(np.unique(groups[unseen]), judge)
    return found


def whose(judges, groups):
    """Yield each of the judges once, and which clips are of its groups: (n,) bool."""
    for judge in {id(judge): judge for judge in judges.values()}.values():
        own = [group for group in judges if judges[group] is judge]
        yield judge, np.isin(groups, own)


def ask(judges, clips, groups, classes):
    """Probabilities (n, classes) of clips, each by the judge of its group: zero for
    classes that the judge doesn't know, NaN for groups without one. classes: sorted;
    the rest as in `judges`.
    """
    said = np.full((len(clips), len(classes)), np.nan)
    for judge, own in whose(judges, groups):
        if own.any():
            said[own] = 0
            columns = np.searchsorted(classes, judge.classes_)
            with threadpool_limits(1, "blas"):
                said[np.ix_(own, columns)] = judge.predict_proba(clips[own])
    return said


def logit_weights(judge, label):
    """What a class's logit weighs the numbers of a row by, before they are
    standardised: (d,) float32; zeros for a class that the judge doesn't know.

    judge: a fitted pipeline that ends in StandardScaler and LogisticRegression.
    """
    scaler, linear = judge[-2:]
    rows = linear.coef_
    if len(rows) == 1:  # of two classes scikit-learn keeps one logit, the second's
        rows = np.concatenate([-rows, rows]) / 2
    nothing = np.zeros(rows.shape[1])
    weights = dict(zip(linear.classes_, rows, strict=True)).get(label, nothing)
    return (weights / scaler.scale_).astype("float32")


def confidences(judges, clips, groups, labels=None):
    """How sure judges are of clips of groups that they never met: the highest
    probabilities (n, 8) of eight of their `moments(clip)`, evenly spaced; NaN where
    there is no judge, or one that knows a single class. labels: (n,), then also where
    it doesn't know the clip's class.
    """
    said = np.full((len(clips), 8), np.nan)
    for judge, own in whose(judges, groups):
        if labels is not None:
            own &= np.isin(labels, judge.classes_)
        if own.any() and len(judge.classes_) > 1:
            with threadpool_limits(1, "blas"):
                highest = [judge.moments(clip).max(axis=1) for clip in clips[own]]
            places = (evenly_spaced(len(one), 8, repeat=True) for one in highest)
            said[own] = [one[place] for one, place in zip(highest, places, strict=True)]
    return said


def known_and_strangers(model, clips, labels, groups, folds=10):
    """How sure classifiers are of classes that they learned and of one that they
    didn't: each class in turn is left out, so that the same classifiers judge both,
    clips of groups that they never met. Two arrays: (classes, n, 8), of clips of the
    other classes, and (n, 8), of each clip while its class is left out; NaN where
    there is none. Arguments as in `judges`.
    """
    names = np.unique(labels)
    known = np.full((len(names), len(clips), 8), np.nan)
    strangers = np.full((len(clips), 8), np.nan)
    for place, name in enumerate(names):
        own = labels == name
        found = judges(model, clips, labels, groups, ~own, folds)
        known[place, ~own] = confidences(found, clips[~own], groups[~own], labels[~own])
        strangers[own] = confidences(found, clips[own], groups[own])
    return known, strangers


def told_apart(known, strangers, labels):
    """For each clip (n,) while its class was left out, the share of clips of the other
    classes that the same classifiers were surer of: 0.5 on average by chance (the mean
    is the area under the ROC curve); NaN where none was judged.

    known, strangers: from `known_and_strangers`; labels: (n,).
    """
    means, own = known.mean(axis=2), strangers.mean(axis=1)
    classes = np.unique(labels, return_inverse=True)[1]
    others = [means[k][~np.isnan(means[k])] for k in range(len(means))]
    shares = [
        (np.mean(others[k] > one) + np.mean(others[k] >= one)) / 2
        if len(others[k]) and not np.isnan(one)
        else np.nan
        for k, one in zip(classes, own, strict=True)
    ]
    return np.array(shares)


def is_right(said, labels):
    """Which clips get the right answer: (n,) bool.

    said: (n, classes), columns the sorted classes of `labels` (n,).
    """
    return said.argmax(axis=1) == np.unique(labels, return_inverse=True)[1]


def threshold_for(confidence, keep):
    """The highest threshold that the share `keep` of moments reaches, each clip
    counting alike; 0, which refuses nothing, if fewer than ten clips were judged.

    confidence: (n, 8), see `confidences`.
    """
    judged = confidence[~np.isnan(confidence).any(axis=1)]
    if len(judged) < FEWEST_CLIPS:
        return 0.0
    return -float(np.quantile(-judged, keep, method="inverted_cdf"))


def are_given(groups):
    """Whether somebody said which clips belong together: most share their group."""
    return pd.Series(groups).duplicated(keep=False).mean() > 0.5


def curve_over_groups(model, clips, labels, groups, draws=4, points=4):
    """How accuracy on unseen groups grows with what is learned from: a DataFrame of
    `source` ("few groups": all clips of some groups; "all groups": as many clips, drawn
    from all, if most groups have several clips), groups, clips and accuracy, a row for
    each draw and point.

    draws: how often other groups (a quarter) are set aside to judge by; the rest as in
    `judges`. Empty with one group.
    """
    rng, names, rows = np.random.default_rng(0), np.unique(groups), []
    given = are_given(groups)
    for _ in range(draws if len(names) > 1 else 0):
        others = rng.permutation(names)[max(1, len(names) // 4) :]
        known = np.isin(groups, others)
        for few in np.unique(np.linspace(1, len(others), points).astype(int)):
            some = np.flatnonzero(np.isin(groups, others[:few]))
            spread = rng.permutation(np.flatnonzero(known))[: len(some)]
            sources = {"few groups": some} | ({"all groups": spread} if given else {})
            for source, learn in sources.items():
                judge = fitted(model, clips[learn], labels[learn])
                accuracy = np.mean(judge.predict(clips[~known]) == labels[~known])
                rows.append((source, few, len(learn), accuracy))
    return pd.DataFrame(rows, columns=["source", "groups", "clips", "accuracy"])


def label_round(model, clips, labels, groups, first=2, more=2, draws=5):
    """What a round of labelling is worth, on groups that are never labelled: a
    DataFrame of the accuracies before, after labelling clips at random, and after
    labelling as many of the least sure; a row for each draw of groups and labels.

    first: clips of each class with a label to begin with; more: clips to label, times
    classes. The rest as in `judges`. Uncertainty sampling: Lewis and Gale 1994,
    https://arxiv.org/abs/cmp-lg/9407020.
    """
    rows = []
    for draw in range(draws):
        splitter = GroupShuffleSplit(1, test_size=0.25, random_state=draw)
        [(known, unseen)] = splitter.split(clips, groups=groups)
        known = pd.Series(labels[known], known).sample(frac=1, random_state=draw)
        start = known.groupby(known).head(first).index
        pool = known.index.difference(start, sort=False)
        count = more * known.nunique()
        first_fit = fitted(model, clips[start], labels[start])
        asked = pool[least_sure(first_fit, clips[pool], count)]
        answers = {"before": pool[:0], "after, at random": pool[:count]}
        rows.append({})
        for name, added in (answers | {"after, least sure": asked}).items():
            learn = start.append(added)
            judge = fitted(model, clips[learn], labels[learn])
            rows[-1][name] = np.mean(judge.predict(clips[unseen]) == labels[unseen])
    return pd.DataFrame(rows)


def least_sure(judge, clips, count):
    """The places of the `count` clips whose highest probability is lowest, in order."""
    if len(clips) == 0:
        return np.zeros(0, int)
    return np.argsort(judge.predict_proba(clips).max(axis=1), kind="stable")[:count]
