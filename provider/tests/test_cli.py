"""The command line as somebody types it who has made a mistake."""

from __future__ import annotations

import sys

import pytest

from avtale.cli import main


def test_a_setting_that_cannot_be_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AVTALE_LOG_FORMAT", "known-to-nobody")
    monkeypatch.setattr(sys, "argv", ["avtale", "work"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("AVTALE_LOG_FORMAT: ")
    assert "known-to-nobody" not in said
