"""impasto-preview serves the files of an intact bundle to its own page, and nothing else to anyone else."""

from pathlib import Path

import pytest

from impasto.configs.errors import CheckFailed
from impasto.export.commands import preview
from tests.helpers.preview import request, serving


def test_server_of_a_damaged_bundle_raises(bundle: Path, tools: Path) -> None:
    (bundle / "android/model.onnx").write_bytes(b"changed")
    with pytest.raises(CheckFailed, match=r"android/model\.onnx was changed"):
        preview.server(bundle, tools)


def test_server_answers_its_own_names_alone(bundle: Path, tools: Path) -> None:
    """A foreign name that resolves to this address would make a foreign page the same origin (DNS rebinding)."""
    with serving(bundle, tools) as port:
        for host in (f"evil.example:{port}", "evil.example", f"127.0.0.1.evil.example:{port}", "", f"[::1]:{port}"):
            response, body = request(port, "/manifest.json", Host=host)
            assert response.status == 421 and b"Swirls" not in body, host
        assert request(port, "/manifest.json", Host=f"localhost:{port}")[0].status == 200
        assert request(port, "http://[/", Host=f"localhost:{port}")[0].status == 400  # no URL


def test_every_response_has_the_security_headers(bundle: Path, tools: Path) -> None:
    with serving(bundle, tools) as port:
        for path, method in (("/preview/", "GET"), ("/", "GET"), ("/absent", "GET"), ("/", "POST")):
            response, _ = request(port, path, method)
            policy = response.getheader("Content-Security-Policy") or ""
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, (path, method)
            assert response.getheader("X-Content-Type-Options") == "nosniff"
            assert response.getheader("Referrer-Policy") == "no-referrer"
            assert response.getheader("X-Frame-Options") == "DENY"
            assert "Python" not in (response.getheader("Server") or "")


@pytest.mark.parametrize(
    "path",
    [
        *("/../secret", "/android/../../secret", "/%2e%2e/secret", "/..%2fsecret", "//../secret", "/{secret}", "/link"),
        *("/%00", f"/{'a' * 300}", "/android", "/android/model.onnx", "/android/"),
        *("/preview/secret", "/preview/../../secret"),
    ],
)
def test_server_refuses_files_outside_the_bundle(bundle: Path, tools: Path, path: str) -> None:
    secret = bundle.parent / "secret"
    secret.write_text("secret")
    with serving(bundle, tools) as port:
        (bundle / "link").symlink_to(secret)
        (bundle / "android/model.onnx").unlink()
        (bundle / "android/model.onnx").symlink_to(secret)
        response, body = request(port, path.format(secret=secret))
        assert response.status == 404 and b"secret" not in body.partition(b"<p>")[0]
