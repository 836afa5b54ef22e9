"""The sound of a video, for a copy of it: as it is where players take that."""

from collections import deque
from contextlib import suppress
from fractions import Fraction
from io import BytesIO

from toolbox.clips.read import (
    LONGEST_GAP,
    ROUNDING,
    open_file,
)

import av
import numpy as np
from av.codec.context import Flags2
from av.stream import Disposition

PLAYED = {"aac", "flac", "mp3", "opus"}  # by browsers, in an MP4 file
RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}  # of AAC, in Hz
BLOCK = 1024  # samples that AAC encodes at a time
LEAD = 1  # seconds of sound before the first picture that are kept, for the decoder
UNEVEN = 0.02  # seconds; sound that is less out of step is in step


def fits(stream, packet):
    """Whether an MP4 file takes such a stream of sound as it is, and browsers play it.
    The packet, one of the stream's, is used up.
    """
    name = stream.codec_context.codec.canonical_name
    if name not in PLAYED or not stream.rate:
        return False
    try:
        with av.open(BytesIO(), "w", format="mp4") as trial:
            packet.stream = trial.add_stream_from_template(stream)
            trial.mux(packet)
    except (av.FFmpegError, ValueError):
        return False
    return True


def format_of(frame):
    """What a resampler is made for: format, channels and rate of a frame of sound."""
    return frame.format.name, frame.layout.name, frame.sample_rate


class Sound:
    """The sound of an opened file: of several streams the default one, else the first.
    Iterating yields its packets, or the `frames` decoded from them, and when each
    starts, in exact seconds since `begin`, a moment of the file's clock; what ends over
    a second before that is left out.

    Known in the end: first, the first frame that was decoded, or None; lost: how many
    packets can't be decoded; even: whether all can, in one format, each starting where
    the one before ends.

    After a gap of up to a minute, sound keeps its time. Beyond that, or back by over a
    second, the clock has jumped, and the sound goes on.
    """

    def __init__(self, container, begin, frames=False):
        default, streams = Disposition.default, container.streams.audio
        self.stream = max(
            streams, key=lambda one: bool(one.disposition & default), default=None
        )
        self.container, self.begin, self.frames = container, begin, frames
        self.first, self.lost, self.even = None, 0, True
        self.codec = self.stream and self.stream.codec_context
        if self.codec and not frames:
            self.codec.flags2 |= Flags2.skip_manual  # else some seem shorter

    @property
    def problem(self):
        """What can't be copied, or ""."""
        if self.stream and not self.first:
            name = self.codec.name if self.codec else "unknown"
            return f"its sound can't be decoded (codec {name})"
        return f"packets of sound that can't be decoded: {self.lost}" * bool(self.lost)

    def _decoded(self):
        """Yield each packet with the frames that are decoded from it."""
        if not self.codec:
            return
        with suppress(av.FFmpegError, IndexError):  # where damaged, it ends
            for packet in self.container.demux(self.stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    self.lost, self.even = self.lost + 1, False
                    continue
                if frames and not self.first:
                    self.first = frames[0]
                formats = {format_of(one) for one in [self.first, *frames] if one}
                self.even &= len(formats) < 2
                yield packet, frames

    def _items(self):
        """Yield packets or frames, and how long each lasts."""
        for packet, frames in self._decoded():
            lasts = [Fraction(one.samples, one.sample_rate) for one in frames]
            if self.frames:
                yield from zip(frames, lasts, strict=True)
            elif packet.size:
                yield packet, sum(lasts)

    def _skipped(self, item):
        """How long a packet's beginning lasts that is not to be heard, in seconds."""
        if self.frames or not item.has_sidedata("skip_samples"):
            return 0
        samples = bytes(item.get_sidedata("skip_samples"))[:4]
        return Fraction(int.from_bytes(samples, "little"), self.stream.rate or 1)

    def __iter__(self):
        due, off = None, 0
        for item, lasts in self._items():
            begun = due is not None
            due = due if begun else -self._skipped(item)
            start = due if item.pts is None else item.pts * item.time_base - self.begin
            late = start - due
            if abs(late) < 2 * ROUNDING:
                start = due
            elif begun:
                off += late
                self.even &= abs(off) < UNEVEN
                if not -1 < late <= LONGEST_GAP:
                    self.begin, start = self.begin + late, due
            due = start + lasts
            if due > -LEAD:
                yield start, item


def copied(path, begin, stream):
    """Yield the packets of a file's sound, unchanged, for a stream of a film that
    begins at a moment of the file's clock, in seconds.
    """
    with open_file(path) as container:
        sound, least = Sound(container, begin), -np.inf
        rate = sound.stream.rate
        for start, packet in sound:
            packet.duration = round(packet.duration * packet.time_base * rate)
            packet.pts = packet.dts = max(least, round(start * rate))
            packet.time_base, packet.stream = Fraction(1, rate), stream
            least = packet.pts + 1
            yield packet


def evenly(sound, rate, layout):
    """Yield a sound's decoded frames as an encoder takes them: in blocks, at a rate, in
    a layout, one where the one before ends. Gaps become silence.
    """
    made_for, end = None, None
    for start, frame in sound:
        end = max(0, round(start * rate)) if end is None else end
        if made_for != format_of(frame):
            made_for = format_of(frame)
            options = {"async": 1, "min_hard_comp": 0.01, "first_pts": end}
            resampler = av.AudioResampler("fltp", layout, rate, BLOCK, options)
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(start * frame.sample_rate)
        for block in resampler.resample(frame):
            end += block.samples
            yield block
    if made_for:
        yield from resampler.resample(None)


def encoded(path, begin, stream):
    """Yield the packets of a file's sound, encoded, for a stream of a film that begins
    at a moment of the file's clock, in seconds.
    """
    with open_file(path) as container:
        sound = Sound(container, begin, frames=True)
        for block in evenly(sound, stream.rate, stream.layout.name):
            yield from stream.encode(block)
    yield from stream.encode()


def add_sound(film, path, begin):
    """Add a stream for the sound of a file to a film that begins at a moment of the
    file's clock, in seconds. Returns an iterator of the packets to be written, and what
    of the sound is missing in them, or "".

    The sound is read to its end first. Its packets stay as they are, where an MP4 file
    takes them, browsers play them, and they are even: Chromium stops at a damaged one,
    and after a gap it plays too early. Else they are encoded to AAC, in mono or stereo.
    """
    with open_file(path) as container:
        sound = Sound(container, begin)
        last = deque(sound, maxlen=1)
        first, packets = sound.first, ()
        if first and last and sound.even and fits(sound.stream, last[0][1]):
            stream = film.add_stream_from_template(sound.stream)
            packets = copied(path, begin, stream)
        elif first:
            rate = first.sample_rate if first.sample_rate in RATES else max(RATES)
            layout = "mono" if first.layout.nb_channels == 1 else "stereo"
            stream = film.add_stream("aac", rate=rate, layout=layout)
            packets = encoded(path, begin, stream)
        return iter(packets), sound.problem


def mux_until(film, packets, moment):
    """Write packets of sound, up to the first one of a moment of the film, in seconds,
    or later. Muxers may refuse a damaged one.
    """
    for packet in packets:
        with suppress(av.error.InvalidDataError):
            film.mux(packet)
        if packet.pts * packet.time_base >= moment:
            return
