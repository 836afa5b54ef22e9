"""What the lessons use and don't teach: files, threads, datasets, VGG16's engines, pictures.

Ordinary modules, written by hand and tested; they import nothing from `framevote`. Importing the
package sets what the compiled libraries read when they are imported: their start-up notes and the
video decoder's complaints stay out of the page (what can't be read is listed by name instead).
"""

import os

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
