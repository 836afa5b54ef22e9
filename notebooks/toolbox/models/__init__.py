"""What sees: backbones and their engines, training, saved classifiers."""

import lazy_loader

NAMES = {
    "answers": """
        Answer answer_of motion_of seconds_of segments_of still_below write_subtitles
    """,
    "backbone": "Backbone",
    "clip_features": """
        as_array each features_of_clips look_at pictures_of pooled_clips pooled_network
        rows_seen see store_of
    """,
    "engine": "LITERT",
    "efficientnet": "efficientnet_backbone",
    "fitted_windows": "facts_of made_of model_of save_fitted sees",
    "frame_features": """
        FeatureBatches extract_features frames_of_clips predict_features see_frames
    """,
    "imagenet": "named_by_imagenet",
    "ray_cluster": "check_seats start_ray",
    "saved_model": """
        FORMAT LITERT_FILE MODEL SavedClassifier compare_litert head_of one_model
        save_classifier
    """,
    "sequences": "anew",
    "training": "EpochBar train_head",
    "vgg16": """
        compare_engines engines load_vgg16 vgg16_backbone vgg16_weights
    """,
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={module: names.split() for module, names in NAMES.items()}
)
