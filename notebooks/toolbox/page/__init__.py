"""How the page behaves: knobs, progress bars, a quiet start, folds, a camera."""

import lazy_loader

NAMES = {
    "camera": "camera_frames upload_form",
    "folded": "folded",
    "knobs": "check_knobs",
    "progress": "in_threads progress",
    "quiet": "keras lazy_keras quiet_start",
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={module: names.split() for module, names in NAMES.items()}
)
