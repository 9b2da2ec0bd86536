"""Losses become a drawing that any browser shows."""

from xml.etree import ElementTree

from pipeline.training.curves import curves

SVG = "{http://www.w3.org/2000/svg}"


def test_every_training_has_a_panel_with_its_first_and_last_loss() -> None:
    drawn = ElementTree.fromstring(curves({"vae": [(50, 2.0), (100, 0.5)], "unet": [(50, 1.0)], "controlnet": []}))
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert texts == ["vae: loss 1.25 to 1.25", "100 steps", "unet: loss 1 to 1", "50 steps"]


def test_a_loss_that_falls_goes_down_from_the_left_to_the_right() -> None:
    falling = [(50 * step, 1 / step) for step in range(1, 40)]
    line = next(ElementTree.fromstring(curves({"unet": falling})).iter(f"{SVG}polyline"))
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert points == sorted(points)
    assert [height for _, height in points] == sorted(height for _, height in points)


def test_one_loss_out_of_line_does_not_show() -> None:
    quiet = [(50 * step, 1.0) for step in range(1, 20)]
    assert curves({"unet": quiet}) == curves({"unet": [*quiet[:9], (500, 30.0), *quiet[10:]]})
