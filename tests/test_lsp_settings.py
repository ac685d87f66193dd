"""Settings as clients send them."""

import pytest

from lintseq_lsp.lsp.settings import parse, section
from lintseq_lsp.settings import IGNORED, SETTINGS, Settings


def test_settings_are_read_by_their_protocol_names():
    settings, warnings = parse({"maxLines": 3, "ignore": ["**/x.py"], "gateTimeout": 1}, trusted=False)
    assert warnings == []
    assert settings == Settings(max_lines=3, ignore=("**/x.py",), gate_timeout=1)


def test_each_number_has_bounds_around_its_default():
    for setting in SETTINGS:
        if type(setting.default) in (int, float):
            assert setting.bounds is not None, f"give bounds to {setting.field} in settings.py"
            low, high = setting.bounds
            assert low <= setting.default <= high
            for value in (low, high):
                assert parse({setting.name: value}, trusted=False) == (Settings(**{setting.field: value}), [])
            for value in (low - 1, high + 1):
                assert parse({setting.name: value}, trusted=False)[0] == Settings()
        else:
            assert setting.bounds is None


def test_defaults_sent_back_are_the_defaults():
    sent = {
        entry.name: list(entry.default) if isinstance(entry.default, tuple) else entry.default
        for entry in SETTINGS
    }
    assert parse(sent, trusted=False) == (Settings(), [])


def test_null_is_not_set():
    assert parse({"maxLines": None, "model": None}, trusted=False) == (Settings(), [])


@pytest.mark.parametrize(
    ("name", "value", "default"),
    [
        ("maxLines", "8", "8"),
        ("maxLines", 0, "8"),
        ("maxLines", True, "8"),
        ("maxLines", 2.5, "8"),
        ("enabled", "yes", "True"),
        ("enabled", 1, "True"),
        ("model", 3, "''"),
        ("ignore", "*.py", repr(list(IGNORED))),
        ("ignore", [1], repr(list(IGNORED))),
        ("gateTimeout", float("inf"), "2.0"),
        ("gateTimeout", float("nan"), "2.0"),
        ("candidates", 10**9, "3"),
        ("threads", [], "0"),
    ],
)
def test_a_bad_value_is_one_warning_with_the_name_and_the_default(name, value, default):
    settings, warnings = parse({name: value, "tries": 2}, trusted=False)
    assert settings == Settings(tries=2)
    assert len(warnings) == 1
    assert f"lintseq.{name} " in warnings[0]
    assert warnings[0].endswith(f"using the default {default}.")


def test_a_glob_that_is_none_is_one_warning_and_the_others_count():
    settings, warnings = parse({"ignore": ["**/x.py", "**/[z-a].py"]}, trusted=False)
    assert settings.ignore == ("**/x.py",)
    assert len(warnings) == 1
    assert "lintseq.ignore" in warnings[0]
    assert "**/[z-a].py" in warnings[0]


def test_an_unknown_setting_is_one_warning():
    settings, warnings = parse({"colour": 1}, trusted=False)
    assert settings == Settings()
    assert warnings == ["The setting lintseq.colour is unknown and has no effect."]


def test_only_the_initialization_options_grant_trust():
    settings, warnings = parse({"trusted": True}, trusted=False)
    assert not settings.trusted
    assert "lintseq.trusted" in warnings[0]
    settings, warnings = parse({"trusted": False}, trusted=True)
    assert (settings.trusted, warnings) == (True, [])


@pytest.mark.parametrize(
    ("values", "own"),
    [
        (None, {}),
        ([1], {}),
        ({"maxLines": 1}, {"maxLines": 1}),
        ({"lintseq": {"maxLines": 1}, "other": 1}, {"maxLines": 1}),
        ({"lintseq": None}, {}),
        ({"editorInfo": {}, "editorPluginInfo": {}, "didChangeStatus": True, "tries": 2}, {"tries": 2}),
    ],
)
def test_where_settings_are_found(values, own):
    assert section(values) == own


def test_only_the_initialization_options_name_an_endpoint():
    settings, warnings = parse({"endpoint": "http://a:1"}, trusted=False)
    assert settings.endpoint == ""
    assert "lintseq.endpoint only counts in the initialization options" in warnings[0]
    settings, warnings = parse({"endpoint": "http://a:1"}, trusted=False, endpoint="http://b:1")
    assert (settings.endpoint, len(warnings)) == ("http://b:1", 1)
    for values in ({}, {"endpoint": ""}, {"endpoint": "http://b:1"}):
        settings, warnings = parse(values, trusted=False, endpoint="http://b:1")
        assert (settings.endpoint, warnings) == ("http://b:1", [])
    settings, warnings = parse({}, trusted=False, endpoint=["http://b:1"])
    assert (settings.endpoint, warnings) == (
        "",
        ["The setting lintseq.endpoint must be a string: using the default ''."],
    )
