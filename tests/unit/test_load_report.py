"""What a run under load has shown, from Locust's table."""

from __future__ import annotations

from load.report import page, rows

HEAD = "Type,Name,Request Count,Failure Count,Median Response Time,Requests/s,50%,90%,95%,99%,100%"


def test_each_kind_of_request_has_its_percentiles() -> None:
    (first, never, total) = rows(
        [
            HEAD,
            "GET,/health,60,0,3,1.5,3,5,8,12,40",
            "FILE,dropped,0,0,0,0.0,N/A,N/A,N/A,N/A,N/A",
            ",Aggregated,60,2,3,1.5,3,5,8,12,40",
        ]
    )
    assert (first.kind, first.name, first.requests, first.failures, first.a_second) == ("GET", "/health", 60, 0, 1.5)
    assert first.milliseconds == {"50%": 3.0, "90%": 5.0, "95%": 8.0, "99%": 12.0, "100%": 40.0}
    assert never.milliseconds == {}
    assert (total.name, total.failures) == ("Aggregated", 2)


def test_the_page_has_a_line_for_each() -> None:
    told = page(
        rows([HEAD, "GET,/health,60,0,3,1.5,3,5,8,12,40", "FILE,dropped,0,0,0,0.0,N/A,N/A,N/A,N/A,N/A"]), "Two."
    )
    assert "| GET /health | 60 | 0 | 1.5 | 3 | 5 | 8 | 12 | 40 |" in told
    assert "| FILE dropped | 0 | 0 | 0.0 |  |  |  |  |  |" in told
