"""What sees: backbones and their engines, training, saved classifiers."""

import lazy_loader

NAMES = {
    "answers": "Answer seconds_of segments_of write_subtitles",
    "backbone": "Backbone",
    "clip_features": """
        as_array each features_of_clips fill_store look_at pictures_of pooled_clips
        pooled_network recipe_clips rows_seen see
    """,
    "engine": "LITERT",
    "efficientnet": "efficientnet_backbone",
    "frame_features": "FeatureBatches extract_features predict_features",
    "imagenet": "named_by_imagenet",
    "kinetics": "kinetics_clips",
    "ray_cluster": "check_seats start_ray",
    "saved_model": """
        FORMAT LITERT_FILE MODEL SavedClassifier compare_litert head_of one_model
        save_classifier
    """,
    "sequences": "anew warm_up_and_cosine",
    "training": """
        EpochBar FusedAdam patience_in_epochs train_head
    """,
    "vgg16": """
        compare_engines engines load_vgg16 vgg16_backbone vgg16_weights
    """,
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={module: names.split() for module, names in NAMES.items()}
)
