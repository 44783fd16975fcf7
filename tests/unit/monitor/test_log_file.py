from daylily_client.monitor.log_file import TAIL_BYTES, LogFollower


def test_each_line_comes_once_and_when_it_is_complete(tmp_path):
    path = tmp_path / "log"
    follower = LogFollower(path)
    assert list(follower.new_lines()) == []

    path.write_bytes(b"one\ntw")
    assert list(follower.new_lines()) == ["one"]

    with path.open("ab") as log:
        log.write(b"o\nthree\n")
    assert list(follower.new_lines()) == ["two", "three"]
    assert list(follower.new_lines()) == []


def test_the_tail_is_the_end_of_the_file_and_never_too_long(tmp_path):
    path = tmp_path / "log"
    follower = LogFollower(path)
    path.write_bytes(b"\xff" * 3 * TAIL_BYTES + b"the end\n")

    list(follower.new_lines())

    assert follower.tail.endswith("the end\n")
    assert len(follower.tail.encode()) == TAIL_BYTES


def test_a_large_log_is_read_in_pieces(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"x" * 99 + b"\n")
    follower = LogFollower(path)
    with path.open("ab") as log:
        log.write((b"y" * 99 + b"\n") * 10_000)

    lines = 0
    while follower.behind:
        lines += len(list(follower.new_lines()))

    assert lines == 10_001


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"." * 1_000_000)
    follower = LogFollower(path)

    while follower.behind:
        assert list(follower.new_lines()) == []

    assert len(follower._unfinished) <= 64 * 1024
