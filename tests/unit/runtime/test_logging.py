import io
import json
import logging

import pytest
import structlog

from daylily_runtime import configure_logging


@pytest.fixture
def out():
    yield (stream := io.StringIO())
    del stream


@pytest.fixture(autouse=True)
def _logging_as_before():
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    config = structlog.get_config()
    yield
    structlog.configure(**config)
    root.handlers, root.level = handlers, level


def lines(out):
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_fields(out):
    configure_logging(stream=out)
    structlog.get_logger().info("lock_acquired", workset_id="ws-1", token=7, lease=None)
    (line,) = lines(out)
    assert line["event"] == "lock_acquired"
    assert line["level"] == "info"
    assert line["workset_id"] == "ws-1"
    assert line["token"] == 7
    assert line["lease"] is None
    assert line["timestamp"].endswith("Z")


def test_console_is_for_people(out):
    configure_logging(form="console", stream=out)
    structlog.get_logger().info("lock_acquired", workset_id="ws-1")
    assert "lock_acquired" in out.getvalue()
    assert "workset_id=ws-1" in out.getvalue()


def test_less_severe_events_are_left_out(out):
    configure_logging("warning", stream=out)
    structlog.get_logger().info("quiet")
    logging.getLogger("lib").info("quiet")
    structlog.get_logger().warning("heard")
    assert [line["event"] for line in lines(out)] == ["heard"]


def test_the_last_configuration_counts_for_loggers_made_before(out):
    log = structlog.get_logger()
    configure_logging(stream=io.StringIO())
    log.info("first")
    configure_logging(stream=out)
    log.info("second")
    assert [line["event"] for line in lines(out)] == ["second"]


def test_python_logging_comes_out_in_the_same_form(out):
    configure_logging(stream=out)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        logging.getLogger("some.library").warning("retrying %s", "now")
    (line,) = lines(out)
    assert (line["event"], line["level"]) == ("retrying now", "warning")
    assert line["logger"] == "some.library"
    assert line["request_id"] == "r-1"


@pytest.mark.parametrize("library", ["botocore.auth", "grpc._cython.cygrpc", "urllib3"])
def test_libraries_that_log_headers_are_never_verbose(out, library):
    configure_logging("debug", stream=out)
    logging.getLogger(library).debug("CanonicalRequest: …")
    logging.getLogger(library).error("broken")
    assert [line["event"] for line in lines(out)] == ["broken"]


def test_a_traceback_is_one_field(out):
    configure_logging(stream=out)
    try:
        int("bug")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "ValueError: invalid literal" in lines(out)[0]["exception"]


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "authorization",
        "api_key",
        "aws_secret_access_key",
        "session_token",
        "access_token",
        "routing_key",
        "webhook_url",
        "cookie",
    ],
)
def test_fields_that_name_a_secret_are_taken_out(out, name):
    configure_logging(stream=out)
    structlog.get_logger().info("x", **{name: "hunter2"}, nested={"a": [{name: "hunter2"}]})
    assert "hunter2" not in out.getvalue()
    assert lines(out)[0][name] == "[redacted]"


@pytest.mark.parametrize("name", ["token", "lock_token", "key", "partition_key", "valid_token"])
def test_fields_that_only_sound_like_one_stay(out, name):
    configure_logging(stream=out)
    structlog.get_logger().info("x", **{name: "visible"})
    assert lines(out)[0][name] == "visible"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("sent Authorization: Bearer abc.def-ghi123 twice", "twice"),
        ("amqp://user:hunter22@host/x", "amqp://user:[redacted]@host/x"),
        ("https://s3/x?X-Amz-Security-Token=hunter22&a=1", "a=1"),
        ("https://s3/x?X-Amz-Signature=hunter22&a=1", "a=1"),
        ("aws_secret_access_key = hunter22", "aws_secret_access_key = [redacted]"),
    ],
)
def test_credentials_inside_of_texts_are_taken_out(out, text, kept):
    configure_logging(stream=out)
    structlog.get_logger().info("x", detail=text, error=ValueError(text))
    logging.getLogger("lib").warning("%s", text)
    assert "hunter22" not in out.getvalue()
    assert "abc.def" not in out.getvalue()
    assert out.getvalue().count(kept) == 3


def test_any_value_can_be_logged(out):
    configure_logging(stream=out)
    structlog.get_logger().info("x", a=object, b={1: {2}}, c=b"\xff", d="", e=(1, "two"))
    assert lines(out)[0]["e"] == [1, "two"]
