"""From poses to pictures: the person and the props by PyBullet's software renderer, the
place by ray casting.

Lengths are in metres, y is up, pictures are RGB. PyBullet draws the foreground at
OVERSAMPLING times the size of the video, and its segmentation mask lets the ground, the
walls and the sky be put behind it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import pybullet
import pybullet_data

from motions import JOINT_SLICES, ROOT_POSITION, ROOT_ROTATION
from places import HORIZON_ROW, PANORAMA_ROWS_PER_DEGREE

WIDTH, HEIGHT = 320, 240
OVERSAMPLING = 1.5
SKELETON_SCALE = 0.25
SHADOW_SPAN = 8.0
SHADOW_PIXELS = 320
MIPMAP_LEVELS = 6
GROUND_BLUR = 1.7
WALL_BLUR = 2.1

BONES = [
    ("root", "chest", 0.12),
    ("chest", "neck", 0.15),
    ("neck", "head", 0.1),
    ("right_hip", "right_knee", 0.07),
    ("right_knee", "right_ankle", 0.06),
    ("right_ankle", "right_toe", 0.05),
    ("left_hip", "left_knee", 0.07),
    ("left_knee", "left_ankle", 0.06),
    ("left_ankle", "left_toe", 0.05),
    ("right_shoulder", "right_elbow", 0.05),
    ("right_elbow", "right_wrist", 0.045),
    ("left_shoulder", "left_elbow", 0.05),
    ("left_elbow", "left_wrist", 0.045),
    ("right_shoulder", "left_shoulder", 0.08),
    ("right_hip", "left_hip", 0.1),
]
EXTRA_POINTS = {
    "head": ("neck", (0.0, 0.2, 0.0)),
    "right_toe": ("right_ankle", (0.13, -0.03, 0.0)),
    "left_toe": ("left_ankle", (0.13, -0.03, 0.0)),
}


@dataclass(frozen=True)
class Padding:
    """An ellipsoid which fills out the skeleton: its link, centre, radii, and whose
    colour it takes.
    """

    link: str
    centre: tuple
    radii: tuple
    colour: str


PADDINGS = [
    Padding("chest", (0.0, 0.13, 0.0), (0.115, 0.19, 0.175), "shirt"),
    Padding("chest", (0.0, -0.03, 0.0), (0.112, 0.19, 0.15), "shirt"),
    Padding("root", (0.0, 0.03, 0.0), (0.118, 0.15, 0.155), "trousers"),
    Padding("neck", (0.0, 0.05, 0.0), (0.05, 0.09, 0.05), "skin"),
    Padding("neck", (-0.025, 0.2, 0.0), (0.105, 0.1, 0.112), "hair"),
    Padding("right_hip", (0.0, -0.18, 0.0), (0.078, 0.23, 0.078), "trousers"),
    Padding("left_hip", (0.0, -0.18, 0.0), (0.078, 0.23, 0.078), "trousers"),
    Padding("right_knee", (-0.015, -0.15, 0.0), (0.062, 0.18, 0.06), "shins"),
    Padding("left_knee", (-0.015, -0.15, 0.0), (0.062, 0.18, 0.06), "shins"),
]


def xyzw(quaternion):
    """A capture's quaternion (w, x, y, z) in PyBullet's order."""
    w, x, y, z = quaternion
    return [x, y, z, w]


def part_colours(person):
    """Colour of every link of the skeleton and of the paddings."""
    shins = person.skin if person.shorts else person.trousers
    forearms = person.shirt if person.long_sleeves else person.skin
    colours = {"root": person.trousers, "chest": person.shirt, "neck": person.skin, "shins": shins}
    for side in ("right", "left"):
        colours |= {
            f"{side}_hip": person.trousers,
            f"{side}_knee": shins,
            f"{side}_ankle": person.shoes,
            f"{side}_shoulder": person.shirt,
            f"{side}_elbow": forearms,
            f"{side}_wrist": person.skin,
        }
    return colours | {
        "shirt": person.shirt,
        "trousers": person.trousers,
        "skin": person.skin,
        "hair": person.hair,
    }


class Actor:
    """The person, posed in a PyBullet world."""

    def __init__(self, person, client):
        self.client = client
        self.height = person.height
        data = pybullet_data.getDataPath()
        self.body = pybullet.loadURDF(
            f"{data}/humanoid/humanoid.urdf",
            globalScaling=SKELETON_SCALE * person.height,
            useFixedBase=True,
            physicsClientId=client,
        )
        count = pybullet.getNumJoints(self.body, physicsClientId=client)
        names = [
            pybullet.getJointInfo(self.body, i, physicsClientId=client)[12].decode() for i in range(count)
        ]
        self.links = {name: number for number, name in enumerate(names)}
        colours = part_colours(person)
        for name, number in self.links.items():
            pybullet.changeVisualShape(
                self.body, number, rgbaColor=[*colours[name], 1], physicsClientId=client
            )
        self.paddings = [(padding, self._ellipsoid(padding, colours, data)) for padding in PADDINGS]
        self.bodies = {self.body, *(body for _, body in self.paddings)}

    def _ellipsoid(self, padding, colours, data):
        shape = pybullet.createVisualShape(
            pybullet.GEOM_MESH,
            fileName=f"{data}/sphere_smooth.obj",
            rgbaColor=[*colours[padding.colour], 1],
            meshScale=[radius * self.height for radius in padding.radii],
            physicsClientId=self.client,
        )
        return pybullet.createMultiBody(0, -1, shape, physicsClientId=self.client)

    def pose(self, pose):
        """Take a pose; returns the world positions of the joints and of the head and
        toes.
        """
        pybullet.resetBasePositionAndOrientation(
            self.body,
            pose[ROOT_POSITION] * self.height,
            xyzw(pose[ROOT_ROTATION]),
            physicsClientId=self.client,
        )
        for name, part in JOINT_SLICES.items():
            value = pose[part]
            target = xyzw(value) if len(value) == 4 else list(value)
            pybullet.resetJointStateMultiDof(self.body, self.links[name], target, physicsClientId=self.client)
        states = pybullet.getLinkStates(
            self.body, list(self.links.values()), computeForwardKinematics=True, physicsClientId=self.client
        )
        frames = {name: (state[4], state[5]) for name, state in zip(self.links, states, strict=True)}
        for padding, body in self.paddings:
            place, turn = pybullet.multiplyTransforms(
                *frames[padding.link], [c * self.height for c in padding.centre], [0, 0, 0, 1]
            )
            pybullet.resetBasePositionAndOrientation(body, place, turn, physicsClientId=self.client)
        points = {name: np.array(frame[0]) for name, frame in frames.items()}
        for name, (link, offset) in EXTRA_POINTS.items():
            offset = [c * self.height for c in offset]
            points[name] = np.array(pybullet.multiplyTransforms(*frames[link], offset, [0, 0, 0, 1])[0])
        return points


def add_props(place, far_side, from_x, to_x, client):
    """Stand the place's props between from_x and to_x, on the side (+1 or -1 along z)
    away from the camera.

    Returns their footprints on the ground as rows of x, z, half extents along x and z.
    """
    footprints = []
    first, last = int(np.floor(from_x / place.props_every)), int(np.ceil(to_x / place.props_every))
    for number in range(first, last + 1):
        for prop in place.props:
            x, z = prop.at[0] + number * place.props_every, far_side * prop.at[1]
            if not from_x <= x <= to_x:
                continue
            colour = [*prop.colour, 1]
            if prop.shape == "box":
                shape = pybullet.createVisualShape(
                    pybullet.GEOM_BOX,
                    halfExtents=[s / 2 for s in prop.size],
                    rgbaColor=colour,
                    physicsClientId=client,
                )
            elif prop.shape == "ball":
                shape = pybullet.createVisualShape(
                    pybullet.GEOM_MESH,
                    fileName=f"{pybullet_data.getDataPath()}/sphere_smooth.obj",
                    meshScale=[s / 2 for s in prop.size],
                    rgbaColor=colour,
                    physicsClientId=client,
                )
            else:
                upright = pybullet.getQuaternionFromEuler([-np.pi / 2, 0, 0])
                shape = pybullet.createVisualShape(
                    pybullet.GEOM_CYLINDER,
                    radius=prop.size[0] / 2,
                    length=prop.size[1],
                    rgbaColor=colour,
                    visualFrameOrientation=upright,
                    physicsClientId=client,
                )
            centre = [x, prop.lift + prop.size[1] / 2, z]
            pybullet.createMultiBody(0, -1, shape, basePosition=centre, physicsClientId=client)
            if prop.lift < 0.2:
                footprints.append((x, z, prop.size[0] / 2, prop.size[2] / 2))
    return np.array(footprints).reshape(-1, 4)


class Mipmap:
    """A surface's picture at several sizes, so that far parts of it do not flicker."""

    def __init__(self, surface):
        self.surface = surface
        self.levels = [np.ascontiguousarray(surface.picture, np.float32)]
        for _ in range(MIPMAP_LEVELS - 1):
            rows, columns = self.levels[-1].shape[:2]
            if min(rows, columns) < 16:
                break
            self.levels.append(
                cv2.resize(self.levels[-1], (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
            )
        self.pixels_per_metre = surface.picture.shape[1] / surface.width

    def look_up(self, across, down, footprint):
        """Colours (n, 3) at metres across and down the surface, one video pixel
        covering footprint metres.
        """
        level = np.log2(np.maximum(footprint * self.pixels_per_metre, 1e-6))
        level = np.clip(level, 0, len(self.levels) - 1.001)
        across = np.mod(across / np.float32(self.surface.width), 1)
        down = np.mod(down / np.float32(self.surface.height), 1)
        lower = level.astype(np.int32)
        colours = np.empty((len(across), 3), np.float32)
        for number in range(lower.min(), lower.max() + 1):
            used = np.flatnonzero(lower == number)
            finer, coarser = (
                look_up_list(
                    picture,
                    across[used] * picture.shape[1] - 0.5,
                    down[used] * picture.shape[0] - 0.5,
                    cv2.BORDER_WRAP,
                )
                for picture in self.levels[number : number + 2]
            )
            colours[used] = finer + (level[used] - number)[:, None] * (coarser - finer)
        return colours


def look_up_list(picture, x, y, border):
    """Bilinear look-up at a list of positions; cv2.remap wants them in the form of a
    picture.
    """
    width = 512
    padded = -(-len(x) // width) * width
    map_x = np.zeros(padded, np.float32)
    map_y = np.zeros(padded, np.float32)
    map_x[: len(x)], map_y[: len(y)] = x, y
    found = cv2.remap(
        picture, map_x.reshape(-1, width), map_y.reshape(-1, width), cv2.INTER_LINEAR, borderMode=border
    )
    return found.reshape(padded, -1)[: len(x)]


@dataclass(frozen=True)
class Camera:
    """Where the camera is, what it looks at (both x, y, z), and its vertical field
    of view in degrees.
    """

    position: np.ndarray
    target: np.ndarray
    lens: float

    def rays(self):
        """Directions (HEIGHT * WIDTH, 3) through the pixels, of unit length."""
        forward = self.target - self.position
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        up = np.cross(right, forward)
        half = np.tan(np.radians(self.lens) / 2)
        x = (np.arange(WIDTH) + 0.5 - WIDTH / 2) / (HEIGHT / 2) * half
        y = (HEIGHT / 2 - np.arange(HEIGHT) - 0.5) / (HEIGHT / 2) * half
        directions = forward + x[None, :, None] * right + y[:, None, None] * up
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        return directions.reshape(-1, 3).astype(np.float32)


class Stage:
    """A place with an actor and props in it, ready to be filmed."""

    def __init__(self, place, client):
        self.place = place
        self.client = client
        self.actor = Actor(place.person, client)
        self.ground = Mipmap(place.ground)
        self.wall = Mipmap(place.wall) if place.wall else None
        self.ceiling = Mipmap(place.ceiling) if place.ceiling else None
        self.footprints = np.zeros((0, 4))
        self.sun = np.array(place.sun, float)

    def stand_props(self, far_side, from_x, to_x):
        """See add_props; also turns the sun so that it comes from the camera's side."""
        self.footprints = add_props(self.place, far_side, from_x, to_x, self.client)
        self.sun = np.array(self.place.sun) * np.array([1.0, 1.0, -far_side * np.sign(self.place.sun[2])])

    def film(self, points, camera):
        """Film the actor as posed, `points` being its joints.

        Returns the picture (float32) and the actor's mask at OVERSAMPLING times its
        size.
        """
        foreground, cover, actor_mask = self._foreground(camera)
        backdrop = self._backdrop(points, camera)
        return foreground + (1 - cover[..., None]) * backdrop, actor_mask

    def _foreground(self, camera):
        size = (round(WIDTH * OVERSAMPLING), round(HEIGHT * OVERSAMPLING))
        view = pybullet.computeViewMatrix(camera.position, camera.target, [0, 1, 0])
        projection = pybullet.computeProjectionMatrixFOV(camera.lens, WIDTH / HEIGHT, 0.1, 60.0)
        _, _, colours, _, owners = pybullet.getCameraImage(
            *size,
            view,
            projection,
            lightDirection=self.sun,
            lightColor=self.place.tint,
            lightAmbientCoeff=self.place.ambient,
            lightDiffuseCoeff=self.place.diffuse,
            lightSpecularCoeff=0.05,
            shadow=0,
            renderer=pybullet.ER_TINY_RENDERER,
            physicsClientId=self.client,
        )
        owners = owners.reshape(size[1], size[0])
        cover = (owners >= 0).astype(np.float32)
        colours = colours.reshape(size[1], size[0], -1)[..., :3].astype(np.float32) * cover[..., None]
        small = cv2.resize(colours, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        small_cover = cv2.resize(cover, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        return small, small_cover, np.isin(owners, list(self.actor.bodies))

    def _backdrop(self, points, camera):
        place = self.place
        rays = camera.rays()
        eye = camera.position.astype(np.float32)
        pixel_angle = np.float32(np.radians(camera.lens) / HEIGHT)
        endless = np.full(len(rays), np.inf, np.float32)
        with np.errstate(divide="ignore"):
            to_ground = np.where(rays[:, 1] < 0, -eye[1] / rays[:, 1], endless)
            to_x_wall = (np.sign(rays[:, 0]) * np.float32(place.half_x) - eye[0]) / rays[:, 0]
            to_z_wall = (np.sign(rays[:, 2]) * np.float32(place.half_z) - eye[2]) / rays[:, 2]
        to_wall = np.minimum(to_x_wall, to_z_wall) if self.wall else endless
        picture = np.empty((len(rays), 3), np.float32)

        on_ground = np.isfinite(to_ground) & (to_ground <= to_wall)
        picture[on_ground] = self._ground_colours(
            points, eye, rays[on_ground], to_ground[on_ground], pixel_angle
        )

        wall_height = eye[1] + to_wall * rays[:, 1] if self.wall else endless
        on_wall = ~on_ground & (wall_height < place.wall_top)
        if on_wall.any():
            distance = to_wall[on_wall]
            hit = eye + distance[:, None] * rays[on_wall]
            along = np.where(to_x_wall[on_wall] < to_z_wall[on_wall], hit[:, 2], hit[:, 0])
            picture[on_wall] = self.wall.look_up(
                along, place.wall_top - hit[:, 1], distance * pixel_angle * WALL_BLUR
            )

        above = ~on_ground & ~on_wall
        if above.any():
            picture[above] = self._above_colours(eye, rays[above], pixel_angle)
        return picture.reshape(HEIGHT, WIDTH, 3)

    def _ground_colours(self, points, eye, rays, distance, pixel_angle):
        hit_x = eye[0] + distance * rays[:, 0]
        hit_z = eye[2] + distance * rays[:, 2]
        footprint = distance * pixel_angle * GROUND_BLUR / np.sqrt(np.maximum(-rays[:, 1], 0.02))
        colours = self.ground.look_up(hit_x, hit_z, footprint)
        shadow = self._shadow_map(points)
        metres_to_pixels = SHADOW_PIXELS / SHADOW_SPAN
        x = (hit_x - points["root"][0]) * metres_to_pixels + SHADOW_PIXELS / 2
        z = (hit_z - points["root"][2]) * metres_to_pixels + SHADOW_PIXELS / 2
        colours *= 1 - look_up_list(shadow, np.clip(x, -9, 9999), np.clip(z, -9, 9999), cv2.BORDER_CONSTANT)
        haze_colour, haze_distance = self.place.haze
        clear = np.exp(-((distance / haze_distance) ** 2))[:, None]
        return colours * clear + np.array(haze_colour, np.float32) * (1 - clear)

    def _above_colours(self, eye, rays, pixel_angle):
        if self.ceiling:
            distance = (self.place.wall_top - eye[1]) / np.maximum(rays[:, 1], 1e-3)
            hit = eye + distance[:, None] * rays
            return self.ceiling.look_up(hit[:, 0], hit[:, 2], distance * pixel_angle * 2)
        azimuth = np.degrees(np.arctan2(rays[:, 2], rays[:, 0]))
        elevation = np.degrees(np.arcsin(np.clip(rays[:, 1], -1, 1)))
        sky = self.place.sky
        column = np.mod(azimuth / 360, 1) * sky.shape[1]
        row = HORIZON_ROW - PANORAMA_ROWS_PER_DEGREE * elevation
        return look_up_list(sky, column, np.clip(row, 0, sky.shape[0] - 1), cv2.BORDER_WRAP)

    def _shadow_map(self, points):
        """Darkness of the ground, 0 to 1, over SHADOW_SPAN metres around the actor's
        root.
        """
        strength, softness = self.place.shadow
        scale = SHADOW_PIXELS / SHADOW_SPAN
        centre = np.array([points["root"][0], points["root"][2]])

        def on_map(x, z):
            return np.round((np.array([x, z]) - centre) * scale * 8 + SHADOW_PIXELS * 4).astype(int)

        cast = np.zeros((SHADOW_PIXELS, SHADOW_PIXELS), np.float32)
        contact = np.zeros_like(cast)
        lean = self.sun[[0, 2]] / self.sun[1]
        for first, second, radius in BONES:
            ends = [
                (points[name][[0, 2]] - lean * max(points[name][1], 0), points[name])
                for name in (first, second)
            ]
            thick = max(1, round(2 * radius * scale))
            cv2.line(cast, on_map(*ends[0][0]), on_map(*ends[1][0]), 1.0, thick, cv2.LINE_AA, shift=3)
            lift = max(min(ends[0][1][1], ends[1][1][1]), 0.0)
            nearness = float(np.exp(-lift / 0.2))
            layer = np.zeros_like(cast)
            below = [on_map(end[1][0], end[1][2]) for end in ends]
            cv2.line(layer, below[0], below[1], nearness, thick + 3, cv2.LINE_AA, shift=3)
            contact = np.maximum(contact, layer)
        for x, z, half_x, half_z in self.footprints:
            corners = (
                on_map(x - half_x - 0.04, z - half_z - 0.04),
                on_map(x + half_x + 0.04, z + half_z + 0.04),
            )
            cv2.rectangle(contact, corners[0], corners[1], 0.9, -1, cv2.LINE_AA, shift=3)
        cast = cv2.GaussianBlur(cast, (0, 0), max(0.6, softness * scale))
        contact = cv2.GaussianBlur(contact, (0, 0), 1.6)
        return np.clip(1 - (1 - strength * cast) * (1 - 0.5 * contact), 0, 1)[..., None]
