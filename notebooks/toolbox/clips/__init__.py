"""What a video and a dataset are: tables of clips, reading, writing."""

import lazy_loader

NAMES = {
    "clip_table": """
        NONE find_videos groups_of has_video_suffix hold_out look_through
        make_video_table
    """,
    "dataset": """
        BUILT_IN choose_dataset find_dataset open_dataset remember_folder
    """,
    "extract": "extract_frames",
    "flow": "neighbours",
    "listed": "read_lists",
    "masks": """
        MEAN_COLOUR PER_SECOND masks_for share_of_positions without_person
        without_scene
    """,
    "motion_crops": "store_clips",
    "read": """
        batches evenly_spaced frames_shown frames_to_show load_frame middle_frame
        open_video probe result_or_problem shown_in strip_of to_network_size
    """,
    "ucf101": "fetch_ucf101",
    "write": "annotate join_clips",
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={module: names.split() for module, names in NAMES.items()}
)
