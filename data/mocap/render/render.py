"""Render the built-in clips: python render.py [--jobs 2] [--only Class ...] [--groups 1
2 ...]

Writes data/mocap/videos/<Class>/v_<Class>_g<NN>_c<NN>.avi,
data/mocap/masks/v_<Class>_g<NN>_c<NN>.png and beside them the class and split lists and
the recordings. Clips that are there already are left alone, so an interrupted run can
simply be started again.
"""

import argparse
import multiprocessing
import os
import subprocess
import time
import zlib
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pybullet
import pybullet_data

from motions import ACTIONS, FPS, load_motion, move_on_ground, plan_poses
from places import place_of_group
from recordings import CLIPS, DATA_FOLDER, GROUPS, clip_name, take_of, write_recordings
from scene import HEIGHT, WIDTH, Camera, Stage
from styles import STYLES, style_motion, warp

TEST_GROUPS = (1, 2, 3)
QUANTIZER = 12
KEYFRAME_EVERY = 125
MASK_EVERY = 5
MASK_WIDTH, MASK_HEIGHT = 160, 120
EDGE_MARGIN = 0.14


def smooth(track, seconds):
    """Smooth a track (n, d) over time alike in both directions, without lagging
    behind a steady movement.
    """
    reach = 3 * round(seconds * FPS)
    before = 2 * track[0] - track[np.minimum(np.arange(reach, 0, -1), len(track) - 1)]
    after = 2 * track[-1] - track[np.maximum(len(track) - 2 - np.arange(reach), 0)]
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (seconds * FPS)) ** 2)
    weights /= weights.sum()
    longer = np.concatenate([before, track, after])
    return np.stack([np.convolve(column, weights, "valid") for column in longer.T], axis=1)


def wander(count, seconds, rng):
    """A smooth random track of `count` frames with unit deviation, changing over
    about `seconds`.
    """
    steps = cv2.GaussianBlur(
        rng.standard_normal((count + 200, 1)),
        (1, 0),
        sigmaX=1e-3,
        sigmaY=seconds * FPS,
        borderType=cv2.BORDER_REFLECT,
    )
    return steps[100:-100, 0] * np.sqrt(2 * np.sqrt(np.pi) * seconds * FPS)


def fitting_distance(offsets, azimuth, elevation, lens):
    """Distance from which all offsets (..., 3) from the camera's target fit into the
    picture, with a margin.

    azimuth and elevation are in radians, lens (the vertical field of view) in degrees.
    """
    x, y, z = np.moveaxis(offsets, -1, 0)
    level = x * np.cos(azimuth) + z * np.sin(azimuth)
    nearer = level * np.cos(elevation) + y * np.sin(elevation)
    upwards = np.abs(y * np.cos(elevation) - level * np.sin(elevation))
    sideways = np.abs(z * np.cos(azimuth) - x * np.sin(azimuth)) * HEIGHT / WIDTH
    return ((np.maximum(upwards, sideways) + EDGE_MARGIN) / np.tan(np.radians(lens) / 2) + nearer).max()


def plan_cameras(tracks, place, rng):
    """Choose a camera for every frame of a clip.

    tracks: positions of the actor's points, (frames, points, 3). The camera goes along
    with the person, looks from near the group's side, stands far enough back to keep
    the person in the picture, and drifts a little. Where the person stays about where
    they are, it stays too.
    """
    low, high = tracks.min(axis=1), tracks.max(axis=1)
    target = smooth((low + high) / 2, 0.7)
    rest = (target.min(axis=0) + target.max(axis=0)) / 2
    follow = np.clip((np.ptp(target[:, [0, 2]], axis=0).max() - 0.6) / 0.8, 0.0, 1.0)
    target = rest + follow * (target - rest)
    frames = len(tracks)
    azimuth = np.radians(place.azimuth + rng.uniform(-35, 35) + 0.5 * wander(frames, 2.5, rng))
    elevation = np.radians(place.elevation + rng.uniform(-4, 5) + 0.15 * wander(frames, 2.5, rng))
    distance = fitting_distance(tracks - target[:, None], azimuth.mean(), elevation.mean(), place.lens)
    distance = distance * rng.uniform(1.0, 1.2) * (1 + 0.003 * wander(frames, 2.5, rng))
    target = target + 0.003 * np.stack([wander(frames, 1.5, rng) for _ in range(3)], axis=1)
    direction = np.stack(
        [np.cos(azimuth) * np.cos(elevation), np.sin(elevation), np.sin(azimuth) * np.cos(elevation)], axis=1
    )
    position = target + distance[:, None] * direction
    position[:, 1] = np.maximum(position[:, 1], 0.25)
    return [Camera(position[i], target[i], place.lens) for i in range(frames)]


def faces_about(label, group, clip):
    """Whether the person is turned about, so that they face and travel the other way:
    half of the clips.

    Drawn from the name by itself, so that it is tied neither to the camera side nor to
    other draws.
    """
    return zlib.crc32(f"{clip_name(label, group, clip)} turned".encode()) % 2 == 1


def style_of(label, group, clip):
    """The style of a clip's person on the day."""
    day = zlib.crc32(f"{clip_name(label, group, clip)} style".encode())
    return STYLES[group - 1].for_clip(np.random.default_rng(day))


def recording_of(label, group, clip):
    """The recording that a clip is made from."""
    take = take_of(label, group, clip)
    path = f"{pybullet_data.getDataPath()}/data/motions/humanoid3d_{take}.txt"
    return load_motion(path, ACTIONS[label].closed)


def own_poses(label, group, clip, rng):
    """The poses of a clip, in its person's style."""
    action, style = ACTIONS[label], style_of(label, group, clip)
    return plan_poses(
        action,
        recording_of(label, group, clip),
        rng,
        restyle=lambda motion: style_motion(motion, style, action.closed),
        warp=lambda phase: warp(phase, style.linger),
        tempo=style.tempo,
    )


def film_clip(label, group, clip):
    """Film one clip; returns its frames (uint8, RGB), the person's masks and share of
    the picture.

    There is a mask (bool, see small_mask) and a share for every frame. A share is the
    height, width and top, bottom, left, right edges of the person's box, each over the
    picture's height (left, right: over its width).
    """
    rng = np.random.default_rng(zlib.crc32(clip_name(label, group, clip).encode()))
    place = place_of_group(group)
    poses = own_poses(label, group, clip, rng)
    if faces_about(label, group, clip):
        poses = move_on_ground(poses, np.pi, 0.0)
    middle = (poses[:, :3].min(axis=0) + poses[:, :3].max(axis=0)) / 2
    poses[:, [0, 2]] += [rng.uniform(-5, 5) - middle[0], rng.uniform(-0.5, 0.5) - middle[2]]

    client = pybullet.connect(pybullet.DIRECT)
    try:
        stage = Stage(place, client)
        points = [stage.actor.pose(pose) for pose in poses]
        tracks = np.array([list(frame.values()) for frame in points])
        cameras = plan_cameras(tracks, place, rng)
        stage.stand_props(-np.sign(place.azimuth), tracks[..., 0].min() - 9, tracks[..., 0].max() + 9)
        gain = rng.uniform(0.94, 1.06)
        grain = rng.uniform(0.5, 1.5)
        frames, masks, shares = [], [], []
        for pose, camera in zip(poses, cameras, strict=True):
            picture, mask = stage.film(stage.actor.pose(pose), camera)
            picture = picture * gain + grain * rng.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32)
            frames.append(np.clip(np.round(picture), 0, 255).astype(np.uint8))
            masks.append(small_mask(mask))
            shares.append(measure(mask))
    finally:
        pybullet.disconnect(client)
    return frames, masks, shares


def small_mask(mask):
    """The person's mask at MASK_WIDTH x MASK_HEIGHT: where at least half of a pixel
    is person.
    """
    rows, columns = mask.shape[0] // MASK_HEIGHT, mask.shape[1] // MASK_WIDTH
    return mask.reshape(MASK_HEIGHT, rows, MASK_WIDTH, columns).mean(axis=(1, 3)) >= 0.5


def measure(mask):
    """Height and width over the picture's height, then top, bottom, left, right
    edges of a mask, 0 to 1.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return (0.0,) * 6
    height, width = mask.shape
    return (
        (rows[-1] + 1 - rows[0]) / height,
        (columns[-1] + 1 - columns[0]) / height,
        rows[0] / height,
        (rows[-1] + 1) / height,
        columns[0] / width,
        (columns[-1] + 1) / width,
    )


def write_video(path, frames):
    """Encode frames as MPEG-4 in AVI; the file appears under its name only when it
    is complete.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.unfinished.avi")
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-y",
        "-loglevel",
        "error",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{WIDTH}x{HEIGHT}",
        "-r",
        str(FPS),
        "-i",
        "-",
        "-threads",
        "1",
        "-c:v",
        "mpeg4",
        "-vtag",
        "XVID",
        "-pix_fmt",
        "yuv420p",
        "-q:v",
        str(QUANTIZER),
        "-g",
        str(KEYFRAME_EVERY),
        "-mbd",
        "rd",
        "-trellis",
        "2",
        "-flags",
        "+mv4+bitexact",
        "-fflags",
        "+bitexact",
        "-map_metadata",
        "-1",
        str(unfinished),
    ]
    subprocess.run(command, input=b"".join(frame.tobytes() for frame in frames), check=True)
    os.replace(unfinished, path)


def write_masks(path, masks):
    """Write every MASK_EVERYth mask, stacked top to bottom, as a PNG of one bit a
    pixel.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stacked = np.concatenate(masks[::MASK_EVERY]).astype(np.uint8) * 255
    options = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 9]
    unfinished = path.with_name(f".{path.stem}.unfinished.png")
    cv2.imwrite(str(unfinished), stacked, options)
    os.replace(unfinished, path)


def labels_of(label):
    """The classes made from one filming: the label itself and the one that shows it
    backwards, if any.
    """
    return [label] + [other for other, action in ACTIONS.items() if action.reversed_from == label]


def make_clip(job):
    """Film and write one clip, and its backwards twin where there is one, unless all
    are there.
    """
    label, group, clip, folder = job
    names = {other: clip_name(other, group, clip) for other in labels_of(label)}
    paths = {
        other: (folder / "videos" / other / name, folder / "masks" / f"{Path(name).stem}.png")
        for other, name in names.items()
    }
    if all(path.exists() for pair in paths.values() for path in pair):
        return job, None
    frames, masks, shares = film_clip(label, group, clip)
    for other, (video, mask_file) in paths.items():
        way = 1 if other == label else -1
        write_masks(mask_file, masks[::way])
        write_video(video, frames[::way])
    return job, shares


def write_lists(folder):
    """Write classInd.txt, trainlist01.txt and testlist01.txt in UCF101's form."""
    labels = sorted(ACTIONS)
    lists = {"classInd.txt": [f"{number} {label}" for number, label in enumerate(labels, start=1)]}
    lists["trainlist01.txt"], lists["testlist01.txt"] = [], []
    for number, label in enumerate(labels, start=1):
        for group in GROUPS:
            for clip in CLIPS:
                line = f"{label}/{clip_name(label, group, clip)}"
                if group in TEST_GROUPS:
                    lists["testlist01.txt"].append(line)
                else:
                    lists["trainlist01.txt"].append(f"{line} {number}")
    for name, lines in lists.items():
        (folder / name).write_text("\n".join(lines) + "\n", newline="\n")


def main():
    parser = argparse.ArgumentParser(description="Render the built-in clips.")
    parser.add_argument("--jobs", type=int, default=2, help="clips rendered at the same time")
    parser.add_argument("--only", nargs="*", default=list(ACTIONS), help="classes to render")
    parser.add_argument("--groups", nargs="*", type=int, default=list(GROUPS), help="groups to render")
    parser.add_argument(
        "--clips", nargs="*", type=int, default=list(CLIPS), help="clips to render in each group"
    )
    parser.add_argument("--out", type=Path, default=DATA_FOLDER, help="folder for videos/, masks/, lists")
    parser.add_argument(
        "--shares", type=Path, help="write the person's share of every frame to this .csv file"
    )
    options = parser.parse_args()

    filmed = [
        label for label in ACTIONS if ACTIONS[label].takes and set(labels_of(label)) & set(options.only)
    ]
    jobs = [
        (label, group, clip, options.out)
        for clip in options.clips
        for label in filmed
        for group in options.groups
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    write_lists(options.out)
    write_recordings(options.out)
    started = time.time()
    share_rows = []
    with multiprocessing.get_context("spawn").Pool(
        options.jobs, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        for done, ((label, group, clip, _), shares) in enumerate(
            pool.imap_unordered(make_clip, jobs), start=1
        ):
            elapsed = time.time() - started
            print(f"{done}/{len(jobs)} {clip_name(label, group, clip)} {elapsed:.0f} s", flush=True)
            for frame, share in enumerate(shares or []):
                numbers = ",".join(f"{value:.4f}" for value in share)
                share_rows.append(f"{label},{group},{clip},{frame},{numbers}\n")
    if options.shares:
        header = "class,group,clip,frame,height,width,top,bottom,left,right\n"
        options.shares.write_text(header + "".join(sorted(share_rows)))


if __name__ == "__main__":
    main()
