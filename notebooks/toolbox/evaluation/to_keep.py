"""From a dataset to the classifier that is kept, with what is known of it in words."""

from toolbox.clips import NONE
from toolbox.evaluation.groups_left_out import fitted
from toolbox.evaluation.held_out import report_of, threshold_of
from toolbox.models import pooled_clips, pooled_network, save_fitted


def train_and_save(dataset, model, functions, per_second, keep):
    """Train a dataset's classifier and save it in its folder of weights. The training
    part is learned first, and the test part says how good that is, which is printed;
    the classifier that is saved has learned from all clips.

    model, functions: notebook 11's `ClipClassifier`, and `windows_of` and `moments_of`;
    per_second: frames looked at; keep: see `threshold_of`. Clips that can't be read are
    listed and left out. Raises ValueError if fewer than two classes are left.
    """
    videos, clips, problems = pooled_clips(dataset, per_second, pooled_network(dataset))
    for clip, problem in problems.items():
        print(f"  {clip}: {problem}")
    labels, groups = (videos[name].to_numpy(str) for name in ("class", "group"))
    if len(set(labels)) < 2:
        raise ValueError(
            f"{len(set(labels))} classes of {dataset.name} have clips that can be read;"
            f" a classifier needs two. Look into {dataset.folder}."
        )
    data, train = (clips, labels, groups), (videos["part"] == "train").to_numpy()
    report = report_of(model, *data, train, per_second, keep)
    print(report)
    threshold = threshold_of(model, *data, keep)
    known, taught = fitted(model, clips, labels), (clips, videos["video"])
    facts = {"threshold": threshold, "per_second": per_second, "keep": keep}
    facts["worth"] = report.splitlines()[:2]
    save_fitted(dataset.weights, dataset, known, *taught, functions, **facts)
    print(f"Now it has learned from all {len(clips)} clips.", end=" ")
    print(f'By them, "{NONE}" is said below {threshold:.0%}.' if threshold else "")
