"""How the page behaves: knobs, progress bars, a quiet start, folds, a camera."""

import lazy_loader

NAMES = {
    "bars": "in_threads progress",
    "camera": "camera_frames upload_form",
    "folds": "folded",
    "knobs": "check_knobs",
    "quiet": "keras lazy_keras quiet_start",
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={module: names.split() for module, names in NAMES.items()}
)
