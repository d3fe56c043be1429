"""What the finalists of a run scored on held-out data."""

from nasarena.search.run_folder import RunRecord


def final_scores(record: RunRecord) -> dict[str, list[float]]:
    """The scores of each finalist; an empty list for one whose trainings all failed."""
    found: dict[str, list[float]] = {}
    for event in record.of_kind("final"):
        scores = found.setdefault(event["pattern"], [])
        if event["outcome"]["score"] is not None:
            scores.append(event["outcome"]["score"])
    return found
