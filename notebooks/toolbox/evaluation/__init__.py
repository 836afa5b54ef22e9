"""How good a classifier is, and what is shown by that."""

import lazy_loader

NAMES = {
    "groups_left_out": """
        ask check_groups curve_over_groups fitted is_right judges
        known_and_strangers label_round logit_weights told_apart
    """,
    "held_out": "as_videos confusion how_far report_of threshold_of",
    "intervals": "in_points interval_over_groups measured",
    "results": "read_results record_results",
    "segments": "films_of score_films",
    "to_keep": "train_and_save",
    "votes": "clip_answers",
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={module: names.split() for module, names in NAMES.items()}
)
