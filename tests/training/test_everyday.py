"""The everyday things are those of the list, under the names that people use."""

from dataclasses import replace

from pipeline.training.everyday import EVERYDAY, everyday
from pipeline.training.pictograms import Pictograms


def test_only_things_of_the_list_stay_with_their_pictures(pictograms: Pictograms) -> None:
    objects = tuple(
        replace(entry, name=name)
        for entry, name in zip(
            pictograms.objects, ("grinning face", "hot beverage", "cat face", "skull", "rose", "moai"), strict=True
        )
    )
    kept = everyday(replace(pictograms, objects=objects))
    assert [entry.name for entry in kept.objects] == ["cup of coffee", "cat", "rose"]
    assert "coffee" in kept.objects[0].names
    for style, pictures in kept.pictures.items():
        assert (pictures == pictograms.pictures[style][[1, 2, 4]]).all()


def test_no_two_things_have_the_same_name() -> None:
    names = [name for names in EVERYDAY.values() for name in names.split("/")]
    assert len(names) == len(set(names))
