from daylily_standalone.up import Ports, compose


def test_each_service_has_a_page_of_metrics_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("DAYLILY_METRICS_PORT", "9151")
    servers = compose(tmp_path, Ports())
    assert [server.settings.metrics_port for server in servers] == [9151, 9152, 9153, 9154]


def test_there_are_no_metrics_unless_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("DAYLILY_METRICS_PORT", raising=False)
    servers = compose(tmp_path, Ports())
    assert [server.settings.metrics_port for server in servers] == [None, None, None, None]
