"""Readers: whatever the bytes are, they yield rows or bad rows; in bounded memory."""

import contextlib
import csv
import gzip
import io
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.datasets import readers
from studio.datasets.readers import BadRow, Limits
from studio.errors import StudioError

# The same examples every time: a failure in one run is a failure in all. `tmp_path` may be reused by them.
quick = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# JSON as it may be: any text, deep and wide, broken in the middle.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
rows = st.lists(
    st.dictionaries(texts, texts | st.integers(-(2**63), 2**64 - 1) | st.none(), max_size=4), max_size=8
)


def read(path: Path, **options) -> list[readers.Line]:
    return list(readers.read(path, **options))


@pytest.mark.parametrize("name", ["jsonl", "json", "csv", "text", "parquet"])
@quick
@given(data=st.binary(max_size=400))
def test_arbitrary_bytes_give_rows_bad_rows_or_one_plain_error(name: str, data: bytes, tmp_path: Path):
    path = tmp_path / "file"
    for content in (data, gzip.compress(data)[:-3], b"PAR1" + data + b"PAR1"):
        path.write_bytes(content)
        with contextlib.suppress(StudioError):
            assert all(isinstance(row, dict | BadRow) for _, row in read(path, reader=name))


@quick
@given(
    values=st.lists(json_values, max_size=6), cut=st.integers(0, 200), comma=st.sampled_from([",", " ", "\n"])
)
def test_damaged_json_never_raises(values: list, cut: int, comma: str, tmp_path: Path):
    path = tmp_path / "file.json"
    text = "[" + comma.join(json.dumps(value) for value in values) + "]"
    path.write_text(text[: max(1, len(text) - cut)])
    assert all(isinstance(row, dict | BadRow) for _, row in read(path, reader="json"))


@quick
@given(rows=rows, end=st.sampled_from(["\n", "\r\n", "\n\n"]), last=st.booleans(), bom=st.booleans())
def test_json_lines_come_back_as_written(rows: list[dict], end: str, last: bool, bom: bool, tmp_path: Path):
    path = tmp_path / "file.jsonl"
    text = end.join(json.dumps(row) for row in rows) + (end if last else "")
    path.write_bytes(b"\xef\xbb\xbf" * bom + text.encode())
    assert [row for _, row in read(path, reader="jsonl")] == rows


@quick
@given(rows=rows, indent=st.sampled_from([None, 1]))
def test_a_json_array_comes_back_as_written(rows: list[dict], indent: int | None, tmp_path: Path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(rows, indent=indent))
    assert [row for _, row in read(path, reader="json")] == rows


@quick
@given(cells=st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
def test_a_quoted_table_comes_back_as_written(cells: list[tuple[str, str]], tmp_path: Path):
    path = tmp_path / "file.csv"
    held = io.StringIO(newline="")
    writer = csv.writer(held, quoting=csv.QUOTE_ALL)
    writer.writerows([("prompt", "completion"), *cells])
    path.write_bytes(held.getvalue().encode())
    assert [row for _, row in read(path, reader="csv")] == [
        {"prompt": prompt, "completion": completion} for prompt, completion in cells
    ]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('prompt,completion\na,"say \\"hi\\", ok"\n', 'say "hi", ok'),
        ('prompt,completion\na,"say ""hi"", ok"\n', 'say "hi", ok'),
        ('prompt,completion\na,"ends with \\"\n', "ends with \\"),
        ("'prompt';'completion'\n'a';'semi; colon'\n", "semi; colon"),
        ("prompt|completion\na|b, c; d\n", "b, c; d"),
        ("prompt,completion\na,b\u2028c\n", "b\u2028c"),
    ],
)
def test_delimiters_and_quotes_are_told_from_the_first_records(text: str, answer: str, tmp_path: Path):
    path = tmp_path / "file.csv"
    path.write_text(text)
    assert [row for _, row in read(path)] == [{"prompt": "a", "completion": answer}]


@quick
@given(rows=rows)
def test_gzip_changes_nothing(rows: list[dict], tmp_path: Path):
    path = tmp_path / "file.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(orjson.dumps(row) for row in rows)))
    assert [row for _, row in read(path, reader="jsonl")] == rows


def test_a_line_above_the_limit_is_a_bad_row_and_the_next_is_read(tmp_path: Path):
    path = tmp_path / "file.jsonl"
    path.write_text('{"a": "%s"}\n{"a": 2}\n' % ("x" * 5000))
    (first, bad), second = read(path, limits=Limits(row=1000))
    assert first == 1
    assert isinstance(bad, BadRow)
    assert second == (2, {"a": 2})


def test_a_gzip_bomb_is_refused(tmp_path: Path):
    path = tmp_path / "file.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 200_000))
    with pytest.raises(StudioError, match="unpacks to more than 1 MB"):
        read(path, limits=Limits(unpacked=1 << 20))


def test_a_gzip_file_that_is_cut_off_gives_the_rows_before_the_cut(tmp_path: Path):
    path = tmp_path / "file.jsonl.gz"
    lines = b"".join(b'{"a": %d}\n' % (number * 7919 % 10_007) for number in range(20_000))
    path.write_bytes(gzip.compress(lines)[:-2000])
    found = read(path)
    assert len(found) > 1000
    assert "cut off" in str(found[-1][1])


def test_line_numbers_of_a_table_count_lines_inside_quotes(tmp_path: Path):
    path = tmp_path / "file.csv"
    path.write_text('prompt,completion\n"two\nlines",a\nb,c\n')
    assert [line for line, _ in read(path)] == [2, 4]


def test_parquet_rows_keep_nested_values_and_leave_out_nulls(tmp_path: Path):
    path = tmp_path / "file.parquet"
    row = {"messages": [{"role": "user", "content": "Hi", "name": None}], "n": 3, "nothing": None}
    pq.write_table(pa.Table.from_pylist([row, row | {"nothing": "x"}]), path)
    assert read(path)[0] == (1, {"messages": [{"role": "user", "content": "Hi"}], "n": 3})


def test_parquet_text_that_is_not_utf8_is_a_bad_row(tmp_path: Path):
    path = tmp_path / "file.parquet"
    good_and_bad = (
        pa.array([b"fine", b"\xff\xfe"], pa.binary()).cast(pa.string(), safe=False) if False else None
    )
    offsets = pa.py_buffer(memoryview(bytes.fromhex("000000000400000006000000")))
    good_and_bad = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"fine\xff\xfe"))
    pq.write_table(pa.table({"text": good_and_bad}), path)
    (_, first), (_, second) = read(path)
    assert first == {"text": "fine"}
    assert second == BadRow("holds text that is not UTF-8")


def test_a_file_is_known_by_its_content_where_the_name_misleads(tmp_path: Path):
    path = tmp_path / "upload-3f2a"
    for content, reader in (
        (b'{"a": 1}\n{"a": 2}\n', "jsonl"),
        (b'[{"a": 1}]', "json"),
        (b"a,b\n1,2\n3,4\n", "csv"),
        (b"just words\n\nand more", "text"),
    ):
        path.write_bytes(content)
        assert readers.choose(path).name == reader
        assert readers.choose(path, "words.txt" if reader == "text" else "rows.json").name in (reader, "json")


@pytest.mark.parametrize("container", ["jsonl", "json"])
def test_sixty_megabytes_are_inspected_in_bounded_memory(container: str, tmp_path: Path):
    path = tmp_path / f"big.{container}"
    turns = [{"role": "user", "content": "word " * 150}, {"role": "assistant", "content": "%d"}]
    line = json.dumps({"messages": turns})
    between = ",\n" if container == "json" else "\n"
    with path.open("w") as file:
        file.write("[" if container == "json" else "")
        file.write(between.join(line % number for number in range(73_000)))
        file.write("]" if container == "json" else "\n")
    assert path.stat().st_size > 58e6
    script = """
        import resource, sys
        from pathlib import Path
        from studio.datasets import inspection
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report = inspection.inspect(Path(sys.argv[1]), write_to=Path(sys.argv[2]))
        print(report.rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path), str(tmp_path / "rows.jsonl")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    count, megabytes = map(int, done.stdout.split())
    assert count == 73_000
    assert megabytes < 60
