import pytest
from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_notifier.domain import words


@pytest.mark.parametrize(
    ("ours", "enum", "prefix"),
    [
        (words.EVENT_TYPES, event_pb2.EventType, "EVENT_TYPE_"),
        (words.SUBJECT_KINDS, event_pb2.SubjectKind, "SUBJECT_KIND_"),
        (words.STATES, workset_pb2.WorksetState, "WORKSET_STATE_"),
        (words.PRIORITIES, workset_pb2.Priority, "PRIORITY_"),
        (words.ERROR_CATEGORIES, workset_pb2.ErrorCategory, "ERROR_CATEGORY_"),
    ],
)
def test_the_words_are_those_of_the_protos(ours, enum, prefix):
    theirs = {name.removeprefix(prefix) for name, number in enum.items() if number}
    assert ours == theirs
