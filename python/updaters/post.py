"""One POST of JSON by HTTP. Apart from its users, as its imports cost memory."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to another host."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def post_json(
    url: str, body: Mapping[str, Any], headers: Mapping[str, str], time_limit: float
) -> str:
    """Send it; returns what went wrong, or an empty text. Never raises.

    `time_limit` is in seconds, for connecting and for each wait for bytes.
    """
    try:
        request = urllib.request.Request(
            url,
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "User-Agent": "hearing-updater",
                **headers,
            },
        )
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=time_limit):
            return ""
    except urllib.error.HTTPError as exc:
        return f"answered {exc.code}"
    except urllib.error.URLError as exc:
        return str(exc.reason)
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"
