import pytest

from daylily_client.monitor.samples import COLUMNS, read_samples

ROW = {
    **dict.fromkeys(COLUMNS, "x"),
    "RUN_ID": "R0",
    "SAMPLE_ID": "HG002",
    "LANE": "0",
    "R1_FQ": "s3://ref/data/HG002_30x_R1.fastq.gz",
    "R2_FQ": "s3://ref/data/HG002_30x_R2.fastq.gz",
    "IS_POS_CTRL": "false",
    "IS_NEG_CTRL": "False",
    "N_X": "1",
    "N_Y": "1",
}


def table(*rows, columns=COLUMNS):
    lines = ["\t".join(columns), *("\t".join(row[name] for name in columns) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def read(content):
    problems = []
    return read_samples(content, problems), [str(problem) for problem in problems]


def test_a_row_gives_its_sample_and_its_pair_of_files():
    rows, problems = read(table(ROW))

    assert problems == []
    assert (rows[0].run_id, rows[0].sample_id) == ("R0", "HG002")
    assert rows[0].r2_fq == "s3://ref/data/HG002_30x_R2.fastq.gz"


def test_lanes_of_one_sample_are_rows_of_their_own():
    rows, problems = read(table(ROW, {**ROW, "LANE": "1"}))

    assert problems == []
    assert len(rows) == 2


def test_columns_may_come_in_another_order_and_with_others_among_them():
    rows, problems = read(table({**ROW, "NOTE": "n"}, columns=(*reversed(COLUMNS), "NOTE")))

    assert problems == []
    assert rows[0].sample_id == "HG002"


def test_what_windows_makes_of_the_file_is_read_as_well():
    content = b"\xef\xbb\xbf" + table(ROW).replace(b"\n", b"\r\n") + b"\r\n"

    assert read(content)[1] == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "stage_samples.tsv: line 1: lacks the columns RUN_ID"),
        (table(columns=COLUMNS[1:]), "stage_samples.tsv: line 1: lacks the columns RUN_ID"),
        (table(), "stage_samples.tsv: names no sample"),
        (table(ROW) + b"R0\tHG003\n", "stage_samples.tsv: line 3: has 2 cells, the header has 20"),
        (table({**ROW, "R1_FQ": " "}), "stage_samples.tsv: line 2, R1_FQ: is empty"),
        (
            table({**ROW, "IS_POS_CTRL": "no"}),
            "stage_samples.tsv: line 2, IS_POS_CTRL: must be true or false, is 'no'",
        ),
        (table(ROW, ROW), "stage_samples.tsv: line 3: is the same run, sample and lane as line 2"),
        (b"x" * 200_000, "stage_samples.tsv: is no table"),
        (b"\xff", "stage_samples.tsv: is not UTF-8"),
    ],
)
def test_a_fault_is_told_with_its_line_and_column(content, problem):
    _, problems = read(content)

    assert len(problems) == 1
    assert problems[0].startswith(problem)
