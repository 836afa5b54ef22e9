"""How good a classifier is, and what is shown by that."""

import lazy_loader

NAMES = {
    "groups_left_out": """
        as_strangers ask check_groups compare curve_over_groups is_right judges
        label_round mixed_folds new_strangers out_of_group spread_over steps
        threshold_for
    """,
    "intervals": "in_points verdict",
    "order_control": """
        IN_ORDER WAYS fuse ignores_order in_order most_often_right value_of_order
    """,
    "results": "read_results record_results side_by_side",
    "segments": "score_films segments_of",
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={module: names.split() for module, names in NAMES.items()}
)
