"""Tables as programs and people write them: encodings, delimiters, line ends, quotes, and what is no table."""

import codecs
import time

import pytest

from app.problems import Problem
from app.services import plan_columns, tables

HEAD = ["Файл", "Текст", "Когда"]
ROW = ["закат.mp4", "Ёж; и, «волк»", "28.11.2026 10:00"]


def made(delimiter: str = ";", end: str = "\r\n", head=HEAD, rows=(ROW,)) -> str:
    def cell(text: str) -> str:
        return f'"{text}"' if any(char in text for char in ';,\t\n"') else text

    return end.join(delimiter.join(map(cell, row)) for row in (head, *rows)) + end


def read(content: bytes | str) -> tables.Table:
    content = content.encode() if isinstance(content, str) else content
    return tables.read(content, plan_columns.is_name)


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"], ids=["crlf", "lf", "cr"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1251", "utf-16"])
def test_every_program_is_read(delimiter, end, encoding):
    table = read(made(delimiter, end).encode(encoding))
    assert (table.head, [line.cells for line in table.lines]) == (HEAD, [ROW])
    assert table.delimiter == delimiter
    assert table.encoding == {"utf-8-sig": "UTF-8"}.get(encoding, encoding).replace(
        "windows", "Windows"
    ).upper().replace("WINDOWS", "Windows")


def test_line_numbers_are_those_of_the_file():
    text = 'Файл;Текст\n\n;;\nа.mp4;"первая\nвторая\r\nтретья"\n\nб.mp4;\n'
    assert [(line.number, line.cells[0]) for line in read(text).lines] == [(4, "а.mp4"), (8, "б.mp4")]
    assert read(text).lines[0].cells[1] == "первая\nвторая\r\nтретья"


def test_the_head_may_come_late_and_name_its_delimiter():
    table = read("sep=,\r\n;;\r\nФайл,Когда,,\r\nа;б.mp4,завтра\r\n")
    assert table.head == ["Файл", "Когда"]
    assert table.lines[0].cells == ["а;б.mp4", "завтра"]
    assert table.lines[0].number == 4


def test_the_delimiter_is_the_one_that_makes_known_names():
    assert read("Файл,Когда,Заметка; личная; важная\nа,б,в\n").delimiter == ","
    assert read("Первый;Второй\nа;б\n").delimiter == ";"


def test_quotes_that_do_not_match_are_the_fault_of_their_line():
    text = 'Файл;Текст\nа.mp4;ровно\nб.mp4;"открыта\nв.mp4;ровно\n'
    text += 'г.mp4;"так "нельзя" писать"\nд.mp4;"так ""можно"" писать"\n'
    lines = read(text).lines
    assert [(line.number, line.problem and line.problem.code) for line in lines] == [
        (2, None),
        (3, "table_quotes_open"),
        (4, None),
        (5, "table_quotes_open"),
        (6, None),
    ]
    assert lines[4].cells[1] == 'так "можно" писать'


def test_what_cannot_be_read_is_the_fault_of_its_line():
    text = made(rows=[ROW, ["а\0.mp4", "б", "в"], ROW, ROW])
    assert [bool(line.problem) for line in read(text).lines] == [False, True, False, False]
    # One byte was lost: it is still UTF-8.
    cut = made(rows=[ROW] * 3).encode().replace("Ёж".encode(), "Ёж".encode()[1:], 1)
    table = read(cut)
    assert table.encoding == "UTF-8"
    assert [line.problem and line.problem.code for line in table.lines] == ["table_line_unreadable", None, None]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "table_empty"),
        (b"\xef\xbb\xbf", "table_empty"),
        (b"\r\n\r\n;;;\r\n", "table_empty"),
        (made(rows=[]).encode(), "table_empty"),
        (b"sep=;", "table_empty"),
        (b"PK\x03\x04" + b"\0" * 100, "table_is_workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1" + b"\0" * 100, "table_is_workbook"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)) * 9, "table_not_text"),
        (made().encode("utf-16-le"), "table_not_text"),
        (made(rows=[ROW] * 2001).encode(), "table_too_long"),
        (b"\xd0\xb0;" * (5 << 20), "table_too_large"),
        ((";".join(map(str, range(61))) + "\n1\n").encode(), "table_too_wide"),
        (('а;б\n' + 'x;"y" z\n' * 60).encode(), "table_quotes_everywhere"),
    ],
)  # fmt: skip
def test_what_is_no_table(content, code):
    with pytest.raises(Problem) as refused:
        read(content)
    assert (refused.value.code, refused.value.field) == (code, "file")
    assert refused.value.text


@pytest.mark.parametrize(
    "content", [codecs.BOM_UTF8 + b"\xff", b'"', b'"""', b'a;"b', b"\r", b"sep=|\nx", b"\xff\xfe\0"]
)
def test_no_content_breaks_it(content):
    try:
        read(content)
    except Problem as refused:
        assert refused.text


def test_a_quote_that_stays_open_takes_neither_time_nor_the_lines_behind_it():
    began = time.monotonic()
    lines = read('а;б\nx;"\n' + "y;z\n" * 1000 + "w" * (1 << 20)).lines
    assert len(lines) == 1002
    assert [line.number for line in lines if line.problem] == [2, 1003]  # and a cell that no text is long enough for
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "text", ["=cmd()", "+7", "-1", "@x", "\t=1", " =1", "＝1", "'=1", "''=1", "'кавычка", "-", "да\nнет"]
)
def test_what_is_written_is_read_again(text):
    written = "".join(tables.write([["Файл", "Текст"], ["а", text]]))
    [_, row] = written.removeprefix("\ufeff").split("\r\n", 1)
    assert not row.partition(";")[2].strip('"').startswith(("=", "+", "-", "@", "＝", "\t"))
    assert read(written).lines[0].cells == ["а", text]
