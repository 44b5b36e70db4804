import pytest

from dotdo_site.lib import durations


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("2s", 2),
        ("1.5s", 1.5),
        ("5m", 300),
        ("1h", 3_600),
        ("1d", 86_400),
        ("PT5M", 300),
        ("P1DT2H3M4.5S", 93_784.5),
        ("P2W", 1_209_600),
        (7, 7),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_every_way_to_write_a_duration_means_the_same_seconds(written: object, seconds: float) -> None:
    assert durations.seconds(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", ["", "5", "5 m", "-2s", "P", "PT", "P1Y", "P1M", "1h30m", "s", "٣s", -1, True, None, float("nan"), [1]]
)
def test_what_is_not_a_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        durations.seconds(written)


@pytest.mark.parametrize("seconds", [0.001, 0.5, 1.5, 2, 90, 120, 3_600, 86_400])
def test_a_written_duration_reads_back_as_itself(seconds: float) -> None:
    assert durations.seconds(durations.text(seconds)) == pytest.approx(seconds)
