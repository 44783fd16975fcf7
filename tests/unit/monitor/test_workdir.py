import pytest

from daylily_client.monitor.workdir import Workdir, WorkdirInUseError


@pytest.fixture
def workdir(tmp_path):
    workdir = Workdir(tmp_path)
    with workdir.hold():
        yield workdir


def test_one_monitor_at_a_time_uses_a_directory(tmp_path, workdir):
    with pytest.raises(WorkdirInUseError, match="another monitor"), Workdir(tmp_path).hold():
        pass


def test_a_directory_is_free_again_when_its_monitor_has_ended(tmp_path):
    with Workdir(tmp_path).hold():
        pass
    with Workdir(tmp_path).hold():
        pass


def test_the_journal_remembers_a_claim_from_its_sending_to_its_end(tmp_path, workdir):
    sent = workdir.note_claim("r-1")
    assert Workdir(tmp_path).open_entries() == [sent]

    granted = workdir.note_grant(sent, "ws-1", 7)
    place = workdir.place("ws-1", 2, 7)
    begun = workdir.note_begin(granted, place)
    assert Workdir(tmp_path).open_entries() == [begun]
    assert (begun.workset_id, begun.lock_token, begun.directory) == (
        "ws-1",
        7,
        str(tmp_path / "ws-1" / "attempt-2-token-7"),
    )

    workdir.note_end(begun)
    assert Workdir(tmp_path).open_entries() == []


def test_claims_at_once_are_entries_of_their_own(workdir):
    workdir.note_claim("r-1")
    workdir.note_claim("r-2")

    assert {entry.request_id for entry in workdir.open_entries()} == {"r-1", "r-2"}


def test_each_grant_has_a_place_of_its_own(workdir):
    places = {workdir.place("ws-1", 1, 7).directory, workdir.place("ws-1", 1, 8).directory}

    assert len(places) == 2
