"""What the lessons use and don't teach, in six rooms: page, store, clips, models,
evaluation, plots. A room imports from rooms before it only, and hands its names on.

Importing the package sets what compiled libraries read when they are imported: their
start-up notes and the video decoder's complaints stay out of the page (what can't be
read is listed by name instead).
"""

import os

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
