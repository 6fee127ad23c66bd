"""Tables as text: aligned, folded between words, or stacked, and never cut."""

from mlpack.cli.output.tables import lines_of

ROWS = [("id", "sha256:" + "a" * 64), ("because", "one two three four five six seven"), ("took", "1 s")]


def test_with_room_a_row_is_a_line() -> None:
    """Columns are aligned, and nothing trails."""
    assert list(lines_of([("a", "b  c"), ("long", "")])) == ["a     b  c", "long"]
    assert list(lines_of([("1", "x")], header=("size", "name"))) == ["size  name", "1     x"]
    assert list(lines_of([])) == []


def test_the_last_column_folds_between_words() -> None:
    """Under its own beginning; a word that is longer than the column stands alone and whole."""
    lines = list(lines_of(ROWS, width=34))
    assert lines == [
        "id       sha256:" + "a" * 64,
        "because  one two three four five",
        "         six seven",
        "took     1 s",
    ]


def test_where_no_column_is_left_it_goes_below() -> None:
    """Too narrow for two columns: the value stands under its name."""
    lines = list(lines_of(ROWS, width=20))
    assert lines[:2] == ["id", "    sha256:" + "a" * 64]
    assert lines[2:6] == ["because", "    one two three", "    four five six", "    seven"]
    assert all(len(line) <= 20 for line in lines if "sha256" not in line)


def test_wide_characters_count_twice() -> None:
    """A Chinese name takes two cells a character on a terminal."""
    assert list(lines_of([("名前", "x"), ("abcd", "y")])) == ["名前  x", "abcd  y"]


def test_styles_do_not_move_columns() -> None:
    """A bold name is as wide as a plain one."""
    plain = list(lines_of(ROWS, width=40))
    bold = list(lines_of(ROWS, width=40, styles=("bold", "")))
    assert [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in bold] == plain
    assert bold[-1] == "\x1b[1mtook\x1b[0m     1 s"
