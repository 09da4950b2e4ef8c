"""The guard: hosts, foreign sites, logging in, tokens, headers."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from app import login, main, navigation, security
from app.toolkit import html
from studio import db, settings, users

HTML = {"Accept": "text/html"}
PAGE = navigation.Page(path="/", title="Home", build=lambda: html("<p>home</p>") and None)
router = APIRouter()


@router.get("/api/things")
@router.post("/api/things")
def things() -> list[int]:
    return [1]


def client(host: str = "127.0.0.1") -> TestClient:
    made = TestClient(main.assemble([PAGE], [router]), base_url=f"http://{host}", follow_redirects=False)
    made.headers["accept"] = "*/*"
    return made


@pytest.fixture
def studio(database: Path) -> TestClient:
    return client()


@pytest.fixture
def locked(database: Path) -> Iterator[TestClient]:
    with db.transaction() as session:
        users.put(session, "ada", "a good password")
    login.brake = login.Brake()
    yield client()
    login.brake = login.Brake()


def log_in(browser: TestClient, password: str = "a good password", goal: str = "/"):
    return browser.post("/login", data={"name": "ada", "password": password, "next": goal})


def test_on_loopback_without_users_the_studio_is_open(studio: TestClient) -> None:
    assert studio.get("/api/things").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7870"])
def test_another_host_name_is_refused_on_loopback(studio: TestClient, host: str) -> None:
    assert studio.get("/api/things", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:7870", "127.0.0.1", "[::1]:7870"])
def test_every_name_of_loopback_is_known(studio: TestClient, host: str) -> None:
    assert studio.get("/api/things", headers={"Host": host}).status_code == 200


def test_a_host_name_of_the_settings_is_known(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_ALLOWED_HOSTS", "studio.lan, other.lan")
    settings.get.cache_clear()
    assert client().get("/api/things", headers={"Host": "Studio.LAN:7870"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_cannot_post(studio: TestClient, headers: dict[str, str]) -> None:
    assert studio.post("/api/things", headers=headers).status_code == 403
    assert studio.get("/api/things", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}])
def test_the_studio_itself_and_scripts_can_post(studio: TestClient, headers: dict[str, str]) -> None:
    assert studio.post("/api/things", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["/api/things", "/parts/look", "/config", "/theme.css", "/ours/live.js", "/api/openapi.json", "/docs"],
)
def test_once_a_user_exists_nothing_is_served_without_logging_in(locked: TestClient, address: str) -> None:
    assert locked.get(address).status_code == 401


def test_a_browser_is_led_to_the_login_page_and_back(locked: TestClient) -> None:
    sent = locked.get("/?tab=log", headers=HTML)
    assert sent.headers["location"] == "/login?next=/%3Ftab%3Dlog"
    page = locked.get(sent.headers["location"], headers=HTML)
    assert 'value="/?tab=log"' in page.text
    back = log_in(locked, goal="/?tab=log")
    assert (back.status_code, back.headers["location"]) == (303, "/?tab=log")
    assert locked.get("/api/things").status_code == 200


def test_a_studio_that_listens_beyond_loopback_demands_a_login(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_HOST", "0.0.0.0")
    settings.get.cache_clear()
    assert client("studio.lan").get("/api/things").status_code == 401
    assert client("studio.lan").get("/health").status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(locked: TestClient) -> None:
    cookie = log_in(locked).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie


def test_the_cookie_is_secure_behind_https(locked: TestClient) -> None:
    data = {"name": "ada", "password": "a good password", "next": "/"}
    answer = locked.post("/login", data=data, headers={"X-Forwarded-Proto": "https"})
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("goal", ["https://evil.example", "//evil.example", "/\\evil.example", "evil"])
def test_logging_in_never_leads_to_another_site(locked: TestClient, goal: str) -> None:
    assert "location" not in log_in(locked, goal=goal).headers


def test_guessing_passwords_is_slowed_down(locked: TestClient) -> None:
    for _ in range(login.FREE_TRIES):
        assert log_in(locked, "wrong").status_code == 401
    held = log_in(locked, "a good password")
    assert held.status_code == 429
    assert int(held.headers["retry-after"]) >= 1


def test_logging_out_ends_the_session(locked: TestClient) -> None:
    log_in(locked)
    assert locked.post("/logout").headers["location"] == "/login"
    assert locked.get("/api/things").status_code == 401


def test_a_token_opens_the_api_to_a_script(locked: TestClient) -> None:
    with db.reading() as session:
        user = users.verify(session, "ada", "a good password")
    assert user
    headers = {"Authorization": f"Bearer {security.token(user)}"}
    assert locked.get("/api/things", headers=headers).status_code == 200


def test_a_forged_or_old_credential_opens_nothing(locked: TestClient) -> None:
    with db.reading() as session:
        user = users.verify(session, "ada", "a good password")
    assert user
    good = security.token(user)
    body, _, signed = good.partition(".")
    for credential in ("", "x", f"{body}.", f"{body}x.{signed}", f".{signed}", security.token(user, days=-1)):
        assert locked.get("/api/things", headers={"Authorization": f"Bearer {credential}"}).status_code == 401


def test_a_new_password_ends_the_sessions_of_the_old_one(
    locked: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "FRESH", 0.0)
    log_in(locked)
    assert locked.get("/api/things").status_code == 200
    with db.transaction() as session:
        users.put(session, "ada", "another password")
    time.sleep(0.01)
    assert locked.get("/api/things").status_code == 401


def test_every_answer_carries_the_security_headers(studio: TestClient) -> None:
    for address in ("/", "/api/things", "/ours/live.js", "/nowhere"):
        headers = studio.get(address, headers={"Origin": "http://localhost:3000"}).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


def test_the_scripts_of_a_page_carry_the_nonce_of_its_policy(studio: TestClient) -> None:
    page = studio.get("/", headers=HTML)
    nonce = page.headers["content-security-policy"].split("'nonce-")[1].split("'")[0]
    inline = [part for part in page.text.split("<script")[1:] if "src=" not in part.split(">")[0]]
    assert inline
    assert all(f'nonce="{nonce}"' in part.split(">")[0] for part in inline)
