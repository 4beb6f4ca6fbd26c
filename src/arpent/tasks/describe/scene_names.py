"""Names and places of the images of a run, each unlike the others, so that tables of the same images can be joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from arpent.tasks.describe.scene_places import Placed, folders_of, places_of, shortest_tails
from arpent.tasks.describe.scene_settings import SceneSettings
from arpent.tasks.describe.scenes import Scene, name_of, source_of

__all__ = ["SceneNames"]


class SceneNames:
    """What the images of a run are called, and the places that they show. Neither depends on their order.

    Images of one name are told apart by their folders, then by a number; so are places of one name whose grounds do
    not meet. What nobody else is called keeps its name.

    Args:
        images: of the run, as users point at them; headers are read where names tell the same place.
        settings: with the place of all, where that is declared.
    """

    def __init__(self, images: Sequence[str], settings: SceneSettings) -> None:
        sources = [source_of(image) for image in images]
        told = [name_of(source) for source in sources]
        self._names = _names([one.name for one in told], sources)
        if settings.place is None:
            placed = zip(sources, self._names, told, strict=True)
            self._places = places_of([Placed(source, name, one.name, one.place) for source, name, one in placed])
        else:
            self._places = [settings.place] * len(images)

    def settle(self, scene: Scene, number: int) -> None:
        """Gives an open scene its name and its place.

        Args:
            scene: which is it.
            number: of its image among those of the run.
        """
        scene.name, scene.place = self._names[number], self._places[number]


def _names(stems: Sequence[str], sources: Sequence[str]) -> list[str]:
    """Names of images, of which no two are equal."""
    names = [*stems]
    for stem, count in Counter(stems).items():
        if count == 1:
            continue
        here = [number for number, own in enumerate(stems) if own == stem]
        for number, tail in zip(here, shortest_tails([folders_of(sources[one]) for one in here]), strict=True):
            names[number] = "/".join((*tail, stem))
    taken: Counter[str] = Counter()
    for number in sorted(range(len(names)), key=lambda one: sources[one]):
        name = names[number]
        taken[name] += 1
        if taken[name] > 1:
            names[number] = f"{name} ({taken[name]})"
    return names
