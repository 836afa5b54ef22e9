"""Ray, started quietly here or joined where a cluster runs, and a picture of who did what."""

import logging
import os
import warnings

from toolbox.quiet import quiet_start

import matplotlib.pyplot as plt
import numpy as np

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # Ray's logs stay in its own folder
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
os.environ.setdefault("RAY_worker_niceness", "0")  # workers run as fast as any other process
logging.getLogger("ray.widgets").setLevel("ERROR")  # it would like to draw in the page
warnings.filterwarnings("ignore", ".*ray_remote_args.*")  # `max_retries` is to move one day
try:
    import pyarrow  # noqa: F401

    with warnings.catch_warnings(action="ignore"):
        import ray
        import ray.data
except ImportError:
    raise ImportError(
        "Ray is an extra of this course. `make scale` installs it and runs this notebook; "
        "without make: python -m pip install -r requirements-scale.txt -c requirements.lock"
    ) from None

LOST_PARTS = 10  # that a run may give up before it stops
PATIENCE = 600  # seconds until all workers must be ready


def start_ray(address=None, modules=(), seats=None, store_megabytes=100):
    """Start Ray on this machine, or join the cluster at `address`; quiet, without its dashboard.
    Says in a line what there is.

    modules: Python packages to send to the workers; seats: how many tasks may run at once on this
    machine, by default one more than it has cores; store_megabytes: the memory that processes share
    here (75 or more). Raises what Ray raises if it can't start, after three tries.
    """
    if not ray.is_initialized():
        settings = {
            "runtime_env": {"py_modules": list(modules)},
            "log_to_driver": False,
            "logging_level": "ERROR",
        }
        if address is None:
            settings |= {
                "num_cpus": seats or os.cpu_count() + 1,
                "object_store_memory": store_megabytes * 10**6,
                "include_dashboard": False,
            }
        start_patiently(address or "local", settings)
    there = ray.cluster_resources()
    print(
        f"Ray {ray.__version__}: {there['CPU']:g} seats, {there.get('GPU', 0):g} GPUs, "
        f"{there['object_store_memory'] / 1e6:.0f} MB to share"
    )


def start_patiently(address, settings):
    """Start Ray; again, twice, if it fails: it gives itself 30 seconds, too few for a busy
    machine.
    """
    for tries_left in (2, 1, 0):
        try:
            with quiet_start():
                ray.init(address, **settings)
            break
        except Exception:
            ray.shutdown()
            if not tries_left:
                raise
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = LOST_PARTS
    context.wait_for_min_actors_s = PATIENCE  # so that all workers begin together
    logging.getLogger("ray.data").setLevel("ERROR")


def check_seats(workers, threads, gpus, others):
    """Raise ValueError unless Ray has the seats and GPUs for so many workers, with `threads` and
    `gpus` each, and for the `others` beside them (a number of seats).
    """
    there = ray.cluster_resources()
    if there["CPU"] < workers * threads + others or there.get("GPU", 0) < workers * gpus:
        raise ValueError(
            f"{workers} workers with {threads} threads and {gpus} GPUs each, and {others:g} seats "
            f"for decoding, don't fit: Ray has {there['CPU']:g} seats and "
            f"{there.get('GPU', 0):g} GPUs."
        )


def draw_workers(reports, victim=None, killed_at=None):
    """Draw who did what when: a bar for each part in its worker's row, and above them a mark for
    each time at which the frames of a part had been decoded; returns the matplotlib figure.

    reports: DataFrame of worker, decoded, started and finished (seconds since 1970); victim: the
    worker that was killed, at `killed_at`, if any.
    """
    names = list(reports["worker"].unique())
    origin = min(reports["decoded"].min(), reports["started"].min())
    figure, axis = plt.subplots(figsize=(8, 1.3 + 0.4 * len(names)), layout="constrained")
    axis.plot(reports["decoded"] - origin, np.zeros(len(reports)), "|", color="tab:orange", ms=14)
    for row, name in enumerate(names, 1):
        theirs = reports[reports["worker"] == name]
        lengths = theirs["finished"] - theirs["started"]
        spans = np.stack([theirs["started"] - origin, lengths], axis=1)
        colour = "tab:red" if name == victim else "tab:blue"
        axis.broken_barh(spans, (row - 0.35, 0.7), color=colour, edgecolor="white")
    labels = ["decoded", *(f"process {name}" for name in names)]
    axis.set(yticks=range(len(labels)), yticklabels=labels, ylim=(len(names) + 0.5, -0.5))
    axis.set(xlabel="seconds")
    axis.set_title("Nobody was killed this time", loc="left")
    if victim is not None:
        axis.axvline(killed_at - origin, color="tab:red", linestyle=":")
        alive = [name for name in names if name != victim]
        axis.set_title(
            f"Killed after {killed_at - origin:.0f} s; the other {len(alive)} did the rest",
            loc="left",
        )
    return figure
