"""Points and polygons in the plane."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A point, or the vector that leads to it."""

    x: float
    y: float

    def __add__(self, other: "Point") -> "Point":
        return Point(self.x + other.x, self.y + other.y)

    def __sub__(self, other: "Point") -> "Point":
        return Point(self.x - other.x, self.y - other.y)

    def length(self) -> float:
        """Distance to the origin."""
        return math.hypot(self.x, self.y)

    def turned(self, angle: float) -> "Point":
        """Turned around the origin by `angle` radians, counterclockwise."""
        cosine, sine = math.cos(angle), math.sin(angle)
        return Point(self.x * cosine - self.y * sine, self.x * sine + self.y * cosine)


def sides(corners: Sequence[Point]) -> Iterator[tuple[Point, Point]]:
    """Pairs of neighbouring corners; the last one is next to the first."""
    for index, corner in enumerate(corners):
        yield corner, corners[(index + 1) % len(corners)]


def perimeter(corners: Sequence[Point]) -> float:
    """The length of all sides together."""
    return sum((end - start).length() for start, end in sides(corners))


def area(corners: Sequence[Point]) -> float:
    """The area of a polygon whose sides do not cross each other."""
    doubled = 0.0
    for start, end in sides(corners):
        doubled += start.x * end.y - start.y * end.x
    return abs(doubled) / 2


def bounding_box(corners: Sequence[Point]) -> tuple[Point, Point]:
    """The lower left and the upper right corner of the smallest upright rectangle around a polygon."""
    left = min(corner.x for corner in corners)
    right = max(corner.x for corner in corners)
    bot


def regular_polygon(count: int, radius: float) -> list[Point]:
    """The corners of a polygon with `count` equal sides, counterclockwise from the right."""
    return [Point(radius, 0.0).turned(2 * math.pi * index / count) for index in range(count)]
