"""Ray, started quietly here or joined where a cluster runs."""

import logging
import os
import warnings

from toolbox.page import quiet_start

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
# Ray's logs stay in its own folder
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
# workers run as fast as any other process
os.environ.setdefault("RAY_worker_niceness", "0")
logging.getLogger("ray.widgets").setLevel("ERROR")  # it would like to draw in the page
# `max_retries` is to move one day
warnings.filterwarnings("ignore", ".*ray_remote_args.*")
try:
    with warnings.catch_warnings(action="ignore"):
        import ray
        import ray.data
except ImportError:
    raise ImportError(
        "Ray is an extra of this course. `make scale` installs it and runs this"
        " notebook; without make: python -m pip install -r requirements-scale.txt -c"
        " requirements.lock",
        name="ray",
    ) from None


LOST_PARTS = 10  # that a run may give up before it stops
PATIENCE = 600  # seconds until all workers must be ready


def start_ray(address=None, modules=(), seats=None, store_megabytes=100):
    """Start Ray on this machine, or join the cluster at `address`; quiet, without its
    dashboard. Says in a line what there is.

    modules: Python packages to send to the workers; seats: how many tasks may run at
    once on this machine, by default one more than it has cores; store_megabytes: the
    memory that processes share here (75 or more). Raises what Ray raises if it can't
    start, after three tries.
    """
    if not ray.is_initialized():
        settings = {"runtime_env": {"py_modules": list(modules)}}
        if address is None:
            settings["num_cpus"] = seats or os.cpu_count() + 1
            settings["object_store_memory"] = store_megabytes * 10**6
            settings["include_dashboard"] = False
        settings |= {"log_to_driver": False, "logging_level": "ERROR"}
        start_patiently(address or "local", settings)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = LOST_PARTS
        context.wait_for_min_actors_s = PATIENCE  # so that all workers begin together
        logging.getLogger("ray.data").setLevel("ERROR")
    there = ray.cluster_resources()
    print(
        f"Ray {ray.__version__}: {there['CPU']:g} seats, {there.get('GPU', 0):g} GPUs, "
        f"{there['object_store_memory'] / 1e6:.0f} MB to share"
    )


def start_patiently(address, settings):
    """Start Ray; again, twice, if it fails: it gives itself 30 seconds, too few for a
    busy machine.
    """
    for tries_left in (2, 1, 0):
        try:
            with quiet_start():
                ray.init(address, **settings)
            return
        except Exception:
            ray.shutdown()
            if not tries_left:
                raise


def check_seats(seats, gpus):
    """Raise ValueError unless Ray has so many seats and GPUs; it would wait for them
    without a word.
    """
    there = ray.cluster_resources()
    has = there["CPU"], there.get("GPU", 0)
    if has[0] < seats or has[1] < gpus:
        needs = f"Workers and decoding take {seats:g} seats and {gpus} GPUs"
        raise ValueError(f"{needs}, and Ray has {has[0]:g} and {has[1]:g}.")
