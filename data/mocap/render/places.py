"""The ten groups of the built-in clips: who is filmed, where, and from which side.

A place is a flat ground, optionally four walls around it, and a sky (or a ceiling)
above. Everything is measured in metres, y is up, and the person travels along x.
Pictures are float32 RGB arrays with values from 0 to 255.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import skimage
import sklearn.datasets

SKIMAGE_DATA = Path(skimage.__file__).parent / "data"
SKLEARN_DATA = Path(sklearn.datasets.__file__).parent / "images"


@dataclass(frozen=True)
class Person:
    """Colours are RGB from 0 to 1; height is relative to the capture's skeleton
    (about 1.6 m).
    """

    shirt: tuple
    trousers: tuple
    skin: tuple
    hair: tuple
    shoes: tuple
    height: float = 1.0
    long_sleeves: bool = False
    shorts: bool = False


@dataclass(frozen=True)
class Surface:
    """A picture laid on a plane: it covers width x height metres and repeats."""

    picture: np.ndarray
    width: float
    height: float


@dataclass(frozen=True)
class Prop:
    """A body standing in the place.

    shape: "box", "ball" or "post" (an upright cylinder).
    size: full extents along x, y, z in metres.
    at: centre of its foot on the ground, x and z; z counts away from the camera's side.
    lift: height of its foot above the ground.
    """

    shape: str
    size: tuple
    at: tuple
    colour: tuple
    lift: float = 0.0


@dataclass(frozen=True)
class Place:
    """Where a group is filmed.

    half_x, half_z: distance of the walls from the middle; wall is None in the open.
    wall_top: height at which the wall ends; above it comes the ceiling, if there is
    one, or the sky. sky: a panorama, 360 degrees wide, from 90 degrees above the
    horizon down to 10 below it. haze: colour and distance (metres) at which the ground
    fades into it. sun: direction towards the light. shadow: strength, 0 to 1, and
    softness in metres. ambient, diffuse: how strongly the person is lit from everywhere
    and from the sun's side; tint: RGB of the light. props: what stands there; they
    repeat every props_every metres along x. lens: vertical field of view, degrees.
    elevation, azimuth: where the camera stands as seen from the person, in degrees;
    azimuth 0 is in front, 90 on one side, -90 on the other.
    """

    name: str
    person: Person
    ground: Surface
    sky: np.ndarray
    sun: tuple
    lens: float
    elevation: float
    azimuth: float
    wall: Surface | None = None
    wall_top: float = 0.0
    ceiling: Surface | None = None
    half_x: float = 40.0
    half_z: float = 8.0
    haze: tuple = ((200, 205, 210), 60.0)
    shadow: tuple = (0.45, 0.03)
    ambient: float = 0.6
    diffuse: float = 0.5
    tint: tuple = (1.0, 1.0, 1.0)
    props: list = field(default_factory=list)
    props_every: float = 8.0


def photograph(folder, name):
    """Read a picture that a wheel ships, as RGB."""
    return cv2.imread(str(folder / name))[..., ::-1].astype(np.float32)


def tinted(picture, colour, contrast=1.0):
    """Recolour a picture: its brightness around its own mean, scaled by contrast,
    times an RGB colour.
    """
    gray = picture.mean(axis=2, keepdims=True) if picture.ndim == 3 else picture[..., None]
    return np.clip((1 + contrast * (gray / gray.mean() - 1)) * np.array(colour, np.float32), 0, 255).astype(
        np.float32
    )


def noise(rows, columns, falloff, rng):
    """Seamless noise with a power-law spectrum, zero mean and unit deviation; more
    falloff is smoother.
    """
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None] * rows, np.fft.rfftfreq(columns)[None] * columns)
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(rng.standard_normal((rows, columns)))
    shaped = np.fft.irfft2(white / frequency**falloff, s=(rows, columns))
    return (shaped / shaped.std()).astype(np.float32)


def plain(rows, columns, colour, roughness, rng, falloff=1.0):
    """A plain colour with noise of the given deviation."""
    return np.clip(
        np.array(colour, np.float32) + roughness * noise(rows, columns, falloff, rng)[..., None], 0, 255
    )


def planks(colour, rng, boards=16, size=512, spread=0.10):
    """A floor of boards lying along x."""
    picture = plain(size, size, colour, 5, rng)
    grain = cv2.GaussianBlur(
        rng.standard_normal((size, size)).astype(np.float32), (0, 0), sigmaX=20, sigmaY=0.8
    )
    picture += 60 * grain[..., None]
    board = size // boards
    for top in range(0, size, board):
        cuts = sorted(rng.integers(0, size, 2))
        for left, right in ((0, cuts[0]), (cuts[0], cuts[1]), (cuts[1], size)):
            picture[top : top + board, left:right] *= 1 + spread * rng.uniform(-1, 1)
            picture[top : top + board, left : left + 1] *= 0.75
        picture[top : top + 1] *= 0.75
    return np.clip(picture, 0, 255)


def slabs(colour, rng, across=4, size=512, joint=0.7, spread=0.06, roughness=5):
    """A floor of square slabs with darker joints."""
    picture = plain(size, size, colour, roughness, rng)
    step = size // across
    for top in range(0, size, step):
        for left in range(0, size, step):
            picture[top : top + step, left : left + step] *= 1 + spread * rng.uniform(-1, 1)
            picture[top : top + 2, left : left + step] *= joint
            picture[top : top + step, left : left + 2] *= joint
    return np.clip(picture, 0, 255)


def brickwork(colour, contrast=0.9):
    """The brick photograph, its courses laid level, in a colour."""
    return tinted(np.rot90(photograph(SKIMAGE_DATA, "brick.png")), colour, contrast)


def tiled(picture, rows, columns):
    """Repeat a picture until it covers rows x columns pixels."""
    times = (-(-rows // picture.shape[0]), -(-columns // picture.shape[1]), 1)
    return np.tile(picture, times)[:rows, :columns].copy()


def draw_window(wall, left, top, width, height, glass, frame):
    """Draw a window with a frame and a cross bar into a wall picture; measures in
    pixels.
    """
    rows = np.linspace(1.15, 0.8, height, dtype=np.float32)[:, None, None]
    wall[top : top + height, left : left + width] = np.clip(rows * np.array(glass, np.float32), 0, 255)
    thick = max(2, width // 18)
    for x in (left, left + width // 2 - thick // 2, left + width - thick):
        wall[top : top + height, x : x + thick] = frame
    for y in (top, top + height // 3, top + height - thick):
        wall[y : y + thick, left : left + width] = frame
    wall[top + height : top + height + thick, left - thick : left + width + thick] = np.array(frame) * 0.8


def hang_picture(wall, picture, left, top, width, frame):
    """Hang a framed picture on a wall picture; measures in pixels."""
    height = round(width * picture.shape[0] / picture.shape[1])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    edge = max(3, width // 25)
    wall[top - edge : top + height + edge, left - edge : left + width + edge] = frame
    wall[top : top + height, left : left + width] = small


def sky_panorama(zenith, horizon, rng, clouds=0.0, cloud_colour=(255, 255, 255)):
    """A sky of two colours with clouds, 2048 x 512: row 0 looks straight up, row 460
    at the horizon.
    """
    elevation = np.linspace(90, -10, 512, dtype=np.float32)
    climb = np.clip(elevation / 60, 0, 1)[:, None, None] ** 0.7
    picture = np.array(horizon, np.float32) * (1 - climb) + np.array(zenith, np.float32) * climb
    picture = np.repeat(picture, 2048, axis=1)
    if clouds:
        cover = cv2.resize(noise(512, 1024, 1.6, rng), (2048, 512))
        veil = np.clip(cover * 0.6 + clouds - 0.5, 0, 0.9) * np.clip(elevation / 12, 0, 1)[:, None]
        picture = picture * (1 - veil[..., None]) + np.array(cloud_colour, np.float32) * veil[..., None]
    return picture


HORIZON_ROW = 460
PANORAMA_ROWS_PER_DEGREE = 5.11


def skyline_rows(lowest, highest, roughness, rng):
    """A wavy outline over the panorama, in degrees above the horizon, smooth and
    seamless.
    """
    outline = noise(2, 2048, roughness, rng)[0]
    outline = (outline - outline.min()) / np.ptp(outline)
    return lowest + (highest - lowest) * outline


def fill_below(panorama, outline_degrees, filling):
    """Cover the panorama below an outline (degrees above the horizon) with another
    picture.
    """
    rows = np.arange(panorama.shape[0])[:, None]
    edge = HORIZON_ROW - PANORAMA_ROWS_PER_DEGREE * outline_degrees[None]
    cover = np.clip(rows - edge, 0, 1)[..., None]
    return panorama * (1 - cover) + filling * cover


def add_trees(panorama, colour, lowest, highest, rng):
    """A row of distant trees."""
    leaves = (
        np.array(colour, np.float32)
        * (1 + 0.22 * cv2.resize(noise(256, 1024, 0.9, rng), (2048, 512)))[..., None]
    )
    shade = np.clip(np.linspace(1.6, 0.75, 512), 0.75, 1.25)[:, None, None]
    return fill_below(panorama, skyline_rows(lowest, highest, 1.0, rng), np.clip(leaves * shade, 0, 255))


def add_towers(panorama, colour, lit, rng, highest=13):
    """A distant city: blocks of many heights whose windows are lit in the given
    colour.
    """
    left = 0
    while left < panorama.shape[1]:
        width = int(rng.integers(30, 90))
        top = HORIZON_ROW - int(PANORAMA_ROWS_PER_DEGREE * rng.uniform(4, highest))
        shade = np.array(colour, np.float32) * rng.uniform(0.7, 1.3)
        panorama[top:, left : left + width] = shade
        for y in range(top + 5, HORIZON_ROW, 9):
            for x in range(left + 4, min(left + width, panorama.shape[1]) - 5, 8):
                panorama[y : y + 4, x : x + 4] = np.array(lit) if rng.random() < 0.3 else shade * 1.15
        left += width
    return panorama


def add_stands(panorama, rng):
    """The stands of a stadium, full of people, under a roof."""
    rows = slice(HORIZON_ROW - 75, HORIZON_ROW)
    seats = np.clip(plain(75, 2048, (120, 122, 130), 8, rng, 0.5), 0, 255)
    crowd = rng.uniform(40, 235, (25, 683, 3)).astype(np.float32)
    crowd = cv2.resize(crowd, (2048, 75), interpolation=cv2.INTER_NEAREST)
    taken = cv2.resize(
        (rng.random((25, 683)) < 0.6).astype(np.float32), (2048, 75), interpolation=cv2.INTER_NEAREST
    )
    people = seats + 0.4 * (crowd - seats) * taken[..., None]
    panorama[rows] = cv2.GaussianBlur(people, (0, 0), 1.2, borderType=cv2.BORDER_REFLECT)
    panorama[rows.start - 16 : rows.start] = (70, 74, 82)
    panorama[rows.start - 22 : rows.start - 16] = (225, 228, 232)
    panorama[HORIZON_ROW - 14 : HORIZON_ROW] = (40, 70, 130)
    for left in range(0, 2048, 128):
        panorama[HORIZON_ROW - 14 : HORIZON_ROW, left : left + 64] = (190, 60, 50)
        panorama[rows.start - 16 : HORIZON_ROW - 14, left : left + 5] *= 0.6
    return panorama


def bench(x, z, wood, iron=(0.25, 0.25, 0.27)):
    """A bench with its back away from the camera."""
    return [
        Prop("box", (1.6, 0.06, 0.42), (x, z), wood, 0.42),
        Prop("box", (1.6, 0.34, 0.05), (x, z + 0.22), wood, 0.52),
        Prop("box", (0.07, 0.42, 0.4), (x - 0.65, z), iron),
        Prop("box", (0.07, 0.42, 0.4), (x + 0.65, z), iron),
    ]


def tree(x, z, height=3.4, leaves=(0.22, 0.40, 0.16)):
    """A trunk with a round crown."""
    crown = height * 0.62
    return [
        Prop("post", (0.24, height * 0.5, 0.24), (x, z), (0.36, 0.27, 0.2)),
        Prop("ball", (crown, crown, crown), (x, z), leaves, height * 0.38),
    ]


def park(rng):
    grass = tinted(photograph(SKIMAGE_DATA, "grass.png"), (112, 146, 72), 0.42)
    sky = sky_panorama((86, 140, 214), (205, 222, 238), rng, clouds=0.6)
    sky = add_trees(sky, (84, 112, 62), 5, 15, rng)
    return Place(
        name="park",
        person=Person(
            (0.80, 0.16, 0.16), (0.16, 0.2, 0.34), (0.86, 0.66, 0.54), (0.22, 0.14, 0.09), (0.9, 0.9, 0.9)
        ),
        ground=Surface(grass, 3.0, 3.0),
        sky=sky,
        sun=(0.5, 1.0, 0.7),
        lens=40,
        elevation=8,
        azimuth=75,
        haze=((150, 172, 120), 30.0),
        shadow=(0.5, 0.02),
        props=bench(-1.5, 3.2, (0.52, 0.36, 0.22))
        + tree(2.6, 5.0)
        + tree(-4.6, 6.2, 4.2, (0.27, 0.44, 0.18)),
        props_every=9.0,
    )


def sports_hall(rng):
    floor = tiled(planks((206, 160, 104), rng, boards=24), 1024, 1024)
    for row, colour in ((250, (245, 245, 240)), (760, (40, 80, 170))):
        floor[row : row + 7] = colour
    floor[:, 500:507] = (205, 50, 45)
    cv2.circle(floor, (503, 510), 190, (245, 245, 240), 6, cv2.LINE_AA)
    wall = plain(600, 800, (226, 222, 208), 2, rng)
    wall[340:600] = tiled(planks((188, 142, 92), rng, boards=8, spread=0.05), 260, 800)
    for left in (60, 330, 600):
        draw_window(wall, left, 60, 170, 170, (206, 226, 240), (120, 125, 130))
    for bar in range(330, 590, 18):
        wall[bar : bar + 5, 240:330] = (142, 96, 56)
        wall[bar : bar + 5, 510:600] = (142, 96, 56)
    ceiling = plain(256, 256, (196, 198, 200), 2, rng)
    ceiling[100:150] = (150, 154, 160)
    ceiling[30:60, 40:200] = (252, 252, 248)
    return Place(
        name="sports hall",
        person=Person(
            (0.95, 0.82, 0.2),
            (0.1, 0.1, 0.12),
            (0.55, 0.38, 0.28),
            (0.06, 0.05, 0.05),
            (0.85, 0.2, 0.2),
            1.05,
            shorts=True,
        ),
        ground=Surface(floor, 8.0, 8.0),
        sky=sky_panorama((220, 220, 220), (220, 220, 220), rng),
        wall=Surface(wall, 8.0, 6.0),
        wall_top=6.0,
        ceiling=Surface(ceiling, 4.0, 4.0),
        half_z=6.0,
        sun=(0.2, 1.0, 0.25),
        lens=46,
        elevation=10,
        azimuth=-100,
        haze=((200, 190, 170), 200.0),
        shadow=(0.35, 0.08),
        ambient=0.65,
        diffuse=0.42,
        tint=(1.0, 0.99, 0.95),
        props=[
            Prop("box", (1.5, 0.95, 0.5), (2.4, 3.4), (0.62, 0.44, 0.28)),
            Prop("box", (1.5, 0.14, 0.54), (2.4, 3.4), (0.82, 0.72, 0.56), 0.95),
            Prop("box", (2.0, 0.25, 1.2), (-2.8, 3.6), (0.16, 0.34, 0.62)),
            Prop("ball", (0.24, 0.24, 0.24), (0.2, 2.7), (0.85, 0.45, 0.15)),
        ],
        props_every=10.0,
    )


def street(rng):
    paving = slabs((158, 156, 150), rng, across=6)
    wall = tiled(
        cv2.resize(brickwork((150, 88, 70), 0.7), (220, 220), interpolation=cv2.INTER_AREA), 560, 960
    )
    for left in (90, 410, 730):
        draw_window(wall, left, 60, 120, 160, (150, 172, 190), (236, 234, 228))
    draw_window(wall, 90, 320, 120, 150, (120, 140, 156), (236, 234, 228))
    draw_window(wall, 700, 320, 190, 150, (170, 186, 196), (40, 70, 60))
    wall[330:560, 420:520] = (52, 84, 74)
    wall[345:440, 432:508] = (82, 118, 106)
    wall[460:470, 500:508] = (220, 200, 120)
    wall[530:560, :420] = (128, 124, 118)
    wall[530:560, 520:] = (128, 124, 118)
    return Place(
        name="street",
        person=Person(
            (0.25, 0.45, 0.72),
            (0.34, 0.33, 0.31),
            (0.9, 0.74, 0.64),
            (0.62, 0.44, 0.22),
            (0.15, 0.13, 0.12),
            0.95,
            long_sleeves=True,
        ),
        ground=Surface(paving, 3.6, 3.6),
        sky=sky_panorama((140, 172, 210), (216, 222, 228), rng, clouds=0.8),
        wall=Surface(wall, 12.0, 7.0),
        wall_top=7.0,
        half_z=5.2,
        sun=(-0.6, 1.0, 0.5),
        lens=42,
        elevation=6,
        azimuth=65,
        haze=((190, 190, 188), 120.0),
        shadow=(0.4, 0.03),
        ambient=0.62,
        diffuse=0.45,
        props=[
            Prop("post", (0.12, 3.6, 0.12), (-3.0, 3.0), (0.16, 0.2, 0.18)),
            Prop("ball", (0.4, 0.4, 0.4), (-3.0, 3.0), (0.95, 0.93, 0.85), 3.5),
            Prop("post", (0.5, 0.85, 0.5), (1.9, 3.7), (0.2, 0.36, 0.26)),
            Prop("box", (1.1, 0.45, 0.5), (4.0, 4.6), (0.55, 0.3, 0.2)),
            Prop("ball", (1.1, 0.7, 0.6), (4.0, 4.6), (0.3, 0.46, 0.2), 0.35),
        ],
        props_every=9.0,
    )


def pagoda_garden(rng):
    photo = photograph(SKLEARN_DATA, "china.jpg")
    wall = np.concatenate([photo, photo[:, ::-1]], axis=1)
    stone = slabs((196, 186, 168), rng, across=4, joint=0.8, spread=0.08)
    return Place(
        name="pagoda garden",
        person=Person(
            (0.93, 0.93, 0.9),
            (0.55, 0.16, 0.2),
            (0.84, 0.68, 0.52),
            (0.05, 0.04, 0.04),
            (0.1, 0.1, 0.1),
            0.98,
            long_sleeves=True,
        ),
        ground=Surface(stone, 4.0, 4.0),
        sky=sky_panorama((196, 218, 238), (226, 236, 244), rng, clouds=0.3),
        wall=Surface(wall, 26.0, 8.7),
        wall_top=8.7,
        half_z=13.0,
        half_x=51.0,
        sun=(0.4, 1.0, -0.5),
        lens=40,
        elevation=7,
        azimuth=-70,
        haze=((206, 204, 196), 60.0),
        shadow=(0.42, 0.03),
        tint=(1.02, 1.0, 0.96),
        props=[Prop("box", (6.0, 0.14, 0.2), (0.0, 4.6), (0.82, 0.8, 0.75), 0.66)]
        + [
            Prop("box", (0.2, 0.7, 0.18), (x, 4.6), (0.76, 0.74, 0.69))
            for x in (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)
        ],
        props_every=6.0,
    )


def gallery(rng):
    wall = plain(360, 1000, (236, 232, 224), 1.5, rng)
    pictures = [
        photograph(SKIMAGE_DATA, "coffee.png"),
        photograph(SKLEARN_DATA, "flower.jpg"),
        photograph(SKIMAGE_DATA, "chelsea.png"),
        photograph(SKIMAGE_DATA, "camera.png"),
    ]
    frames = [(40, 34, 30), (150, 110, 60), (240, 240, 236), (60, 40, 30)]
    for left, width, picture, frame in zip(
        (40, 300, 570, 820), (180, 200, 170, 120), pictures, frames, strict=True
    ):
        hang_picture(wall, picture, left, 110, width, frame)
    wall[340:] = (180, 172, 160)
    ceiling = plain(256, 256, (232, 230, 226), 1, rng)
    ceiling[100:140, 60:200] = (255, 254, 248)
    return Place(
        name="picture gallery",
        person=Person(
            (0.2, 0.42, 0.34),
            (0.42, 0.36, 0.28),
            (0.72, 0.52, 0.4),
            (0.12, 0.08, 0.06),
            (0.3, 0.2, 0.14),
            1.03,
        ),
        ground=Surface(planks((140, 96, 62), rng, boards=14, spread=0.14), 2.2, 2.2),
        sky=sky_panorama((230, 230, 230), (230, 230, 230), rng),
        wall=Surface(wall, 10.0, 3.6),
        wall_top=3.6,
        ceiling=Surface(ceiling, 3.0, 3.0),
        half_z=4.4,
        sun=(0.1, 1.0, 0.3),
        lens=50,
        elevation=9,
        azimuth=110,
        haze=((150, 110, 80), 200.0),
        shadow=(0.38, 0.07),
        ambient=0.66,
        diffuse=0.4,
        tint=(1.03, 1.0, 0.94),
        props=[
            Prop("box", (1.6, 0.12, 0.5), (1.0, 3.1), (0.2, 0.18, 0.18), 0.36),
            Prop("box", (0.12, 0.36, 0.42), (0.4, 3.1), (0.5, 0.5, 0.5)),
            Prop("box", (0.12, 0.36, 0.42), (1.6, 3.1), (0.5, 0.5, 0.5)),
            Prop("post", (0.4, 0.9, 0.4), (-2.6, 3.6), (0.93, 0.92, 0.9)),
            Prop("ball", (0.34, 0.46, 0.34), (-2.6, 3.6), (0.6, 0.42, 0.22), 0.88),
        ],
        props_every=8.0,
    )


def stadium(rng):
    track = plain(1024, 1024, (172, 84, 64), 5, rng, 1.0)
    for row in range(0, 1024, 128):
        track[row : row + 6] = (236, 230, 224)
    sky = add_stands(sky_panorama((150, 178, 206), (214, 222, 228), rng, clouds=0.9), rng)
    return Place(
        name="stadium",
        person=Person(
            (0.1, 0.55, 0.75),
            (0.1, 0.55, 0.75),
            (0.42, 0.28, 0.2),
            (0.04, 0.03, 0.03),
            (0.95, 0.85, 0.2),
            1.06,
            shorts=True,
        ),
        ground=Surface(track, 9.8, 9.8),
        sky=sky,
        sun=(-0.3, 1.0, 0.6),
        lens=38,
        elevation=12,
        azimuth=-85,
        haze=((120, 140, 96), 22.0),
        shadow=(0.36, 0.05),
        ambient=0.62,
        diffuse=0.46,
        props=[
            Prop("box", (1.2, 0.09, 0.05), (0.0, 3.3), (0.95, 0.95, 0.95), 0.72),
            Prop("box", (0.05, 0.76, 0.05), (-0.55, 3.3), (0.85, 0.3, 0.1)),
            Prop("box", (0.05, 0.76, 0.05), (0.55, 3.3), (0.85, 0.3, 0.1)),
            Prop("box", (1.0, 0.5, 0.12), (3.4, 4.6), (0.1, 0.25, 0.6)),
        ],
        props_every=7.0,
    )


def beach(rng):
    gravel = cv2.GaussianBlur(
        photograph(SKIMAGE_DATA, "gravel.png"), (0, 0), 2.5, borderType=cv2.BORDER_REFLECT
    )
    sand = tinted(gravel, (214, 184, 138), 0.22)
    sky = sky_panorama((108, 150, 206), (246, 206, 160), rng, clouds=0.6, cloud_colour=(255, 232, 214))
    sea = np.repeat(np.linspace(0.75, 1.1, 512, dtype=np.float32)[:, None, None], 2048, axis=1)
    waves = cv2.resize(noise(512, 64, 0.8, rng), (2048, 512))[..., None]
    sky = fill_below(sky, np.full(2048, 1.2, np.float32), np.clip((96, 138, 158) * sea + 9 * waves, 0, 255))
    sky = fill_below(sky, skyline_rows(-30, 6, 1.6, rng), np.float32([116, 120, 124]))
    return Place(
        name="beach",
        person=Person(
            (0.95, 0.55, 0.2),
            (0.15, 0.4, 0.45),
            (0.78, 0.56, 0.42),
            (0.4, 0.25, 0.12),
            (0.78, 0.56, 0.42),
            0.97,
            shorts=True,
        ),
        ground=Surface(sand, 2.6, 2.6),
        sky=sky,
        sun=(-0.9, 0.8, 0.5),
        lens=36,
        elevation=6,
        azimuth=95,
        haze=((104, 142, 158), 11.0),
        shadow=(0.36, 0.03),
        ambient=0.62,
        diffuse=0.5,
        tint=(1.06, 0.99, 0.9),
        props=[
            Prop("post", (0.06, 2.1, 0.06), (2.0, 3.4), (0.93, 0.92, 0.88)),
            Prop("ball", (2.2, 0.7, 2.2), (2.0, 3.4), (0.86, 0.24, 0.2), 1.8),
            Prop("box", (1.7, 0.03, 0.8), (2.1, 3.0), (0.25, 0.45, 0.75)),
            Prop("ball", (1.3, 0.7, 0.9), (-3.2, 4.8), (0.42, 0.4, 0.38), -0.15),
            Prop("ball", (0.38, 0.38, 0.38), (-0.6, 2.8), (0.95, 0.9, 0.4)),
        ],
        props_every=11.0,
    )


def launch_site(rng):
    photo = photograph(SKIMAGE_DATA, "rocket.jpg")
    wall = np.clip(np.concatenate([photo, photo[:, ::-1]], axis=1) * 1.15 + 8, 0, 255)
    concrete = slabs((128, 130, 136), rng, across=2, joint=0.6, roughness=6)
    return Place(
        name="launch site at dusk",
        person=Person(
            (0.92, 0.45, 0.12),
            (0.92, 0.45, 0.12),
            (0.88, 0.7, 0.6),
            (0.3, 0.2, 0.12),
            (0.2, 0.2, 0.22),
            1.0,
            long_sleeves=True,
        ),
        ground=Surface(concrete, 5.0, 5.0),
        sky=sky_panorama((30, 40, 80), (38, 50, 96), rng),
        wall=Surface(wall, 27.0, 9.0),
        wall_top=9.0,
        half_z=14.0,
        half_x=54.0,
        sun=(0.5, 1.0, 0.9),
        lens=44,
        elevation=8,
        azimuth=-60,
        haze=((70, 76, 96), 40.0),
        shadow=(0.5, 0.03),
        ambient=0.58,
        diffuse=0.55,
        tint=(0.98, 0.98, 1.03),
        props=[
            Prop("box", (2.0, 0.8, 0.25), (-1.8, 4.0), (0.72, 0.72, 0.7)),
            Prop("box", (2.0, 0.16, 0.27), (-1.8, 4.0), (0.9, 0.75, 0.1), 0.5),
            Prop("post", (0.3, 0.7, 0.3), (2.6, 3.2), (0.9, 0.3, 0.1)),
            Prop("post", (0.31, 0.14, 0.31), (2.6, 3.2), (0.95, 0.95, 0.95), 0.3),
        ],
        props_every=8.0,
    )


def warehouse(rng):
    floor = plain(1024, 1024, (150, 150, 146), 7, rng, 1.2)
    floor[500:514] = (216, 186, 60)
    floor[::256] *= 0.75
    wall = plain(500, 800, (150, 162, 170), 2, rng)
    wall *= (1 + 0.07 * np.sin(np.arange(800) * 2 * np.pi / 10))[None, :, None]
    for top in (60, 200, 340):
        for left in range(20, 560, 60):
            height = int(rng.integers(50, 105))
            box = (
                np.array((176, 136, 92)) * rng.uniform(0.75, 1.2)
                if rng.random() < 0.8
                else np.array((60, 90, 130))
            )
            wall[top + 120 - height : top + 120, left : left + 54] = box
            wall[top + 120 - height : top + 120, left + 24 : left + 30] = box * 1.15
        wall[top + 120 : top + 132, 0:580] = (206, 96, 40)
    for left in (0, 190, 380, 570):
        wall[40:, left : left + 12] = (44, 78, 130)
    wall[200:, 640:760] = (92, 104, 112)
    wall[200:500:16, 640:760] *= 0.8
    ceiling = plain(256, 256, (96, 98, 104), 2, rng)
    ceiling[110:140] = (64, 66, 70)
    ceiling[40:70, 80:180] = (250, 246, 232)
    return Place(
        name="warehouse",
        person=Person(
            (0.55, 0.58, 0.6), (0.2, 0.3, 0.5), (0.8, 0.6, 0.48), (0.5, 0.48, 0.46), (0.4, 0.26, 0.14), 1.02
        ),
        ground=Surface(floor, 6.0, 6.0),
        sky=sky_panorama((90, 90, 90), (90, 90, 90), rng),
        wall=Surface(np.clip(wall, 0, 255), 8.0, 5.0),
        wall_top=5.0,
        ceiling=Surface(ceiling, 4.0, 4.0),
        half_z=5.6,
        sun=(-0.2, 1.0, 0.35),
        lens=48,
        elevation=13,
        azimuth=80,
        haze=((140, 140, 136), 200.0),
        shadow=(0.4, 0.06),
        ambient=0.6,
        diffuse=0.45,
        tint=(1.03, 1.0, 0.93),
        props=[
            Prop("box", (1.1, 0.14, 0.9), (-2.2, 3.6), (0.66, 0.5, 0.32)),
            Prop("box", (1.0, 0.8, 0.8), (-2.2, 3.6), (0.7, 0.54, 0.36), 0.14),
            Prop("box", (0.7, 0.5, 0.6), (-2.1, 3.6), (0.76, 0.6, 0.42), 0.94),
            Prop("post", (0.6, 0.88, 0.6), (2.2, 3.9), (0.16, 0.34, 0.6)),
            Prop("post", (0.6, 0.88, 0.6), (2.9, 4.1), (0.7, 0.2, 0.16)),
        ],
        props_every=8.0,
    )


def rooftop(rng):
    tiles = slabs((126, 120, 118), rng, across=6, joint=0.8, spread=0.08)
    sky = sky_panorama((18, 24, 56), (112, 84, 112), rng, clouds=0.2, cloud_colour=(80, 70, 100))
    sky = add_towers(sky, (40, 42, 58), (240, 206, 130), rng)
    return Place(
        name="rooftop at night",
        person=Person(
            (0.75, 0.35, 0.62),
            (0.82, 0.8, 0.76),
            (0.62, 0.44, 0.34),
            (0.1, 0.07, 0.06),
            (0.9, 0.9, 0.92),
            0.94,
        ),
        ground=Surface(tiles, 4.0, 4.0),
        sky=sky,
        sun=(0.7, 1.0, 0.8),
        lens=42,
        elevation=9,
        azimuth=-110,
        haze=((52, 48, 66), 16.0),
        shadow=(0.55, 0.02),
        ambient=0.55,
        diffuse=0.6,
        tint=(1.05, 0.98, 0.88),
        props=[
            Prop("box", (8.0, 0.75, 0.25), (0.0, 4.8), (0.42, 0.4, 0.42)),
            Prop("box", (8.0, 0.08, 0.35), (0.0, 4.8), (0.55, 0.53, 0.54), 0.75),
            Prop("box", (1.2, 0.9, 0.8), (2.4, 3.8), (0.66, 0.68, 0.7)),
            Prop("box", (0.9, 0.06, 0.6), (2.4, 3.8), (0.3, 0.3, 0.32), 0.9),
            Prop("post", (0.3, 1.2, 0.3), (-2.6, 4.0), (0.6, 0.6, 0.62)),
        ],
        props_every=8.0,
    )


BUILDERS = [
    park,
    sports_hall,
    street,
    pagoda_garden,
    gallery,
    stadium,
    beach,
    launch_site,
    warehouse,
    rooftop,
]


@cache
def place_of_group(group):
    """The place of a group, numbered from 1; always the same."""
    return BUILDERS[group - 1](np.random.default_rng(group))
