"""Secrets in files: taken from one that others cannot read, refused from any other, quoted nowhere."""

import os
from pathlib import Path

import pytest

from wavewrap_gateway.adapters.private_files import SECRET_MAX_BYTES, read_secret, read_text_if_there
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.toml_files import FILE_MAX_BYTES, load_toml


def secret_file(folder: Path, data: bytes, mode: int = 0o600) -> Path:
    path = folder / "password"
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("data", [b"hush hush", b"hush hush\n", b"hush hush\r\n"])
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_one_line_is_the_secret(data: bytes, mode: int, tmp_path: Path) -> None:
    assert read_secret(secret_file(tmp_path, data, mode), "the password").get_secret_value() == "hush hush"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666, 0o601])
def test_what_others_can_open_is_refused_with_the_remedy(mode: int, tmp_path: Path) -> None:
    path = secret_file(tmp_path, b"hush", mode)
    with pytest.raises(UsageError, match=r"holds the password and is open to every user here: chmod o-rwx ") as caught:
        read_secret(path, "the password")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "holds no single line"),
        (b"\n", "holds no single line"),
        (b"hush\nhush\n", "holds no single line"),
        (b"hush\0", "holds no single line"),
        (b"hush\xff", "is not UTF-8"),
        (b"hush" * SECRET_MAX_BYTES, f"larger than {SECRET_MAX_BYTES} bytes"),
    ],
)
def test_what_is_no_secret_is_refused_unquoted(data: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        read_secret(secret_file(tmp_path, data), "the password")
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing: cannot be read \(No such file"):
        read_secret(tmp_path / "nothing", "the password")
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    with pytest.raises(UsageError, match=r"folder: cannot be read \(Is a directory"):
        read_secret(folder, "the password")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 200 * FILE_MAX_BYTES)  # sparse: it costs no disk
    with pytest.raises(UsageError, match=f"larger than {FILE_MAX_BYTES} bytes"):
        read_text_if_there(path)
    with pytest.raises(UsageError, match=f"larger than {FILE_MAX_BYTES} bytes: give a small one"):
        load_toml(path, dict, "give a small one")
