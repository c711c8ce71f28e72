import pytest

from ftloader.detection.coco import open_coco
from ftloader.detection.synthetic.cli import main
from ftloader.detection.synthetic.progress import Progress


def test_the_command_makes_a_folder_and_prints_its_path_last(tmp_path, capsys):
    out = tmp_path / "data"
    assert main(["--images", "3", "--seed", "4", "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    assert len(open_coco(out)) == 3


def test_without_out_the_folder_lies_in_the_cache(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["--images", "2", "--quiet"]) == 0
    assert capsys.readouterr().out.startswith(str(tmp_path / "ftloader" / "synthetic"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "0"], "images must be between"),
        (["--images", "many"], "invalid int value: 'many'"),
        (["--seed", "-1"], "seed must be between"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--wrong"], "unrecognized arguments: --wrong"),
    ],
)
def test_bad_arguments_give_one_line_and_exit_code_2(arguments, message, capsys, monkeypatch):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("ftloader synth: ")
    assert error.count("\n") == 1


def test_a_folder_that_cannot_be_written_gives_one_line_and_exit_code_2(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["--images", "1", "--quiet", "--out", str(tmp_path / "file" / "data")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_help_is_not_an_error(capsys):
    assert main(["--help"]) == 0
    assert "--images" in capsys.readouterr().out


class Terminal:
    def __init__(self, terminal):
        self.text = ""
        self._terminal = terminal

    def isatty(self):
        return self._terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_progress_on_a_terminal_rewrites_one_line_with_the_time_left():
    times = iter([0.0, 1.0, 2.0, 3.0])
    stream = Terminal(True)
    progress = Progress("data", 4, stream, lambda: next(times))
    progress.advance()
    progress.advance()
    progress.close()
    lines = [line.strip() for line in stream.text.split("\r")]
    assert lines[1:] == [
        "data: 1 of 4 images, 3 s left",
        "data: 2 of 4 images, 2 s left",
        "data: 2 of 4 images, 3 s left",
    ]
    assert stream.text.count("\n") == 1


def test_progress_in_a_log_is_silent_for_short_work_and_sparse_for_long():
    times = iter([0.0, 1.0, 6.0, 7.0, 7.0])
    stream = Terminal(False)
    progress = Progress("data", 3, stream, lambda: next(times))
    progress.advance()
    assert stream.text == ""
    progress.advance()
    progress.advance()
    assert stream.text == "data: 2 of 3 images, 3 s left\n"
    progress.close()
    assert stream.text.endswith("data: 3 of 3 images, 0 s left\n")


def test_no_stream_prints_nothing(capsys):
    progress = Progress("data", 1, None, lambda: 0.0)
    progress.advance()
    progress.close()
    assert capsys.readouterr() == ("", "")
