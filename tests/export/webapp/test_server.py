"""The page's server serves the files that it is given, and nothing else to anyone else."""

import re
from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.export.webapp import server, site
from impasto.export.webapp.runtime import WEB, Source
from tests.helpers.webapp import request, serving


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Source]:
    """A page with a file of the disk, beside which there is a secret one."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "model.onnx").write_bytes(bytes(range(256)))
    return {"index.html": b"<p>page", "styles/a/model.onnx": tmp_path / "model.onnx", "main.mjs": b"1"}


def test_server_sends_type_length_and_headers_of_each_file(files: dict[str, Source]) -> None:
    with serving(files) as port:
        for path, kind, content in (
            ("/", "text/html; charset=utf-8", b"<p>page"),
            ("/?lang=fa", "text/html; charset=utf-8", b"<p>page"),
            ("/main.mjs?1", "text/javascript; charset=utf-8", b"1"),
            ("/styles/a/model.onnx", "application/octet-stream", bytes(range(256))),
        ):
            response, body = request(port, path)
            assert (response.status, response.getheader("Content-Type"), body) == (200, kind, content), path
            head, body = request(port, path, "HEAD")
            assert (head.getheader("Content-Length"), body) == (str(len(content)), b"")
        assert request(port, "/", "POST")[0].status == 501


def test_server_answers_its_own_names_alone(files: dict[str, Source]) -> None:
    """A foreign name that resolves to this address would make a foreign page the same origin (DNS rebinding)."""
    with serving(files) as port:
        for host in (f"evil.example:{port}", "evil.example", f"127.0.0.1.evil.example:{port}", "", f"[::1]:{port}"):
            response, body = request(port, "/", Host=host)
            assert response.status == 421 and b"<p>page" not in body, host
        assert request(port, "/", Host=f"localhost:{port}")[0].status == 200
        assert request(port, "http://[/", Host=f"localhost:{port}")[0].status == 400  # no URL


def test_every_response_has_the_security_headers(files: dict[str, Source]) -> None:
    with serving(files) as port:
        for path, method in (("/", "GET"), ("/main.mjs", "HEAD"), ("/absent", "GET"), ("/", "POST")):
            response, _ = request(port, path, method)
            policy = response.getheader("Content-Security-Policy") or ""
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, (path, method)
            assert response.getheader("Cross-Origin-Opener-Policy") == "same-origin"
            assert response.getheader("Cross-Origin-Embedder-Policy") == "require-corp"
            assert response.getheader("X-Content-Type-Options") == "nosniff"
            assert response.getheader("Referrer-Policy") == "no-referrer"
            assert response.getheader("X-Frame-Options") == "DENY"
            assert "Python" not in (response.getheader("Server") or "")


@pytest.mark.parametrize(
    "path",
    [
        *("/../secret", "/styles/../../secret", "/%2e%2e/secret", "/..%2fsecret", "//../secret", "/{secret}"),
        *("/secret", "/%00", f"/{'a' * 300}", "/styles", "/styles/a/", "/styles/a/model.onnx/", "/styles/a/secret"),
    ],
)
def test_server_refuses_files_that_it_was_not_given(files: dict[str, Source], tmp_path: Path, path: str) -> None:
    with serving(files) as port:
        response, body = request(port, path.format(secret=tmp_path / "secret"))
        assert response.status == 404 and b"secret" not in body.partition(b"<p>")[0]


def test_server_of_a_file_that_is_gone_answers_not_found(files: dict[str, Source], tmp_path: Path) -> None:
    with serving(files) as port:
        (tmp_path / "model.onnx").unlink()
        assert request(port, "/styles/a/model.onnx")[0].status == 404


def test_server_on_a_port_in_use_raises_one_sentence(files: dict[str, Source]) -> None:
    with serving(files) as port, pytest.raises(UsageError, match=f"port={port} cannot be used: .*; name"):
        server.server(files, port)


def test_policy_of_the_page_is_that_of_the_headers() -> None:
    page = (WEB / site.INDEX).read_text(encoding="utf-8")
    meta = " ".join(page.partition('Content-Security-Policy" content="')[2].partition('"')[0].split())
    assert f"{meta}; frame-ancestors 'none'" == server.POLICY  # which a page cannot say of itself
    assert "unsafe-inline" not in meta and not re.search(r"<script>| style=| on[a-z]+=", page)
