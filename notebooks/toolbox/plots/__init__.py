"""What the reader sees: frames, scores, flow, timelines."""

import lazy_loader
import matplotlib.pyplot as plt

plt.rcParams["text.parse_math"] = False  # a class called "$5_vs_$10" is no formula

NAMES = {
    "answer_files": "COLUMNS COPY FILES classify_video write_answer",
    "flow": "draw_flows draw_histograms flow_film",
    "frames": "animate show_frames show_votes titled_tile",
    "scores": """
        draw_confusion draw_control draw_curve draw_heat draw_intervals draw_trade_off
        draw_workers
    """,
    "timeline": "caption_at draw_timeline",
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={module: names.split() for module, names in NAMES.items()}
)
