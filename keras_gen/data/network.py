"""Whether the network is there, asked briefly, before a download that would retry for minutes."""

from __future__ import annotations

import threading

DOWNLOAD_HOST = "https://storage.googleapis.com"
PATIENCE_SECONDS = 3.0


def network_trouble(patience_seconds: float = PATIENCE_SECONDS) -> str | None:
    """Why nothing can be downloaded now, or None where the download host answers.

    Args:
        patience_seconds: how long to wait in all. Proxies of the environment are honoured.
    """
    answers: list[str | None] = []
    # In a thread, because a name lookup takes no time limit; a daemon, so that it holds up no exit.
    thread = threading.Thread(target=_ask, args=(answers, patience_seconds), daemon=True)
    thread.start()
    thread.join(patience_seconds)
    return answers[0] if answers else f"{DOWNLOAD_HOST} did not answer in {patience_seconds:g} s"


def _ask(answers: list, patience_seconds: float) -> None:
    import requests  # comes with tensorflow-datasets, and only needed here

    try:
        # Any answer will do, an error page as well: it shows that the host can be reached.
        requests.head(DOWNLOAD_HOST, timeout=patience_seconds, allow_redirects=False)
    except requests.RequestException as error:
        answers.append(f"{DOWNLOAD_HOST} cannot be reached ({type(error).__name__})")
    else:
        answers.append(None)
