"""What lies on disk, and whether it still fits what it was made of."""

import lazy_loader

NAMES = {
    "arrays": "growing_array npy_header",
    "files": """
        FRAGMENT file_of is_whole_jpeg one_writer read_csv read_json save_array whole
        write_csv write_jpeg write_json
    """,
    "made": "digest_of fingerprint is_made making note_of read_note",
    "steps": "check_step step",
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={module: names.split() for module, names in NAMES.items()}
)
