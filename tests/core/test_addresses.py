"""What of an address may be shown."""

from __future__ import annotations

import pytest

from arpent.core import shown_address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://user:secret@host:8080/a.json", "http://host:8080/a.json"),
        ("https://user:p@ss@host/a?b=c", "https://host/a?b=c"),
        ("http:/user:secret@host/run", "http:/host/run"),
        ("/vsicurl/https://token@host/a.tif", "/vsicurl/https://host/a.tif"),
        ("https://host/a.tif?se=2026&sig=c2VjcmV0&sp=r", "https://host/a.tif?se=2026&sig=…&sp=r"),
        (
            "https://host/a?X-Amz-Credential=AK/1&X-Amz-Signature=ff",
            "https://host/a?X-Amz-Credential=…&X-Amz-Signature=…",
        ),
        ("https://host/a?api_key=1#top", "https://host/a?api_key=…#top"),
        ("HTTP 404 at http://u:p@one/x and http://u:p@two/y", "HTTP 404 at http://one/x and http://two/y"),
    ],
)
def test_what_lets_people_in_is_not_shown(address: str, shown: str) -> None:
    assert shown_address(address) == shown


@pytest.mark.parametrize(
    "address", ["https://host/@user/a.tif?design=1&keyword=b", "s3://bucket/a@b.tif", "folder/a@b.tif", "C:/a@b.tif"]
)
def test_what_hides_nothing_stays(address: str) -> None:
    assert shown_address(address) == address
