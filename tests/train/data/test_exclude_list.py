from pathlib import Path

from impasto.train.data import exclude_list


def test_read_names_of_any_kind_come_back_as_written(tmp_path: Path) -> None:
    names = {
        "a b/c,d.jpg",
        "two\nlines.jpg",
        "tab\t.jpg",
        '"quoted".jpg',
        "# none.jpg",
        "Größe.jpg",
        "x\udcff.jpg",
    }
    exclude_list.write(tmp_path / "exclude.txt", dict.fromkeys(names, "for\na reason"))
    assert exclude_list.read(tmp_path / "exclude.txt") == names


def test_read_list_edited_by_hand_ignores_comments_and_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "by_hand.txt").write_text("# mine\r\none.jpg\r\n\r\ntwo words.jpg\n")
    assert exclude_list.read(tmp_path / "by_hand.txt") == {"one.jpg", "two words.jpg"}
