"""Log-in and log-out without any script, the theme that survives a visit, and who gets into the admin."""

from __future__ import annotations

import shlex

import pytest
from django.test import Client, RequestFactory

from donna_skills import shell
from donna_skills.accounts.models import User
from tests.shell.conftest import read

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _sample_pages(settings):
    settings.ROOT_URLCONF = "tests.shell.pages"
    settings.MENU_COUNTS = {}


@pytest.fixture
def vera(db):
    return User.objects.create_user("vera", password=PASSWORD)


def _token(client, path):
    return next(i["value"] for i in read(client.get(path)).all("input") if i.get("name") == "csrfmiddlewaretoken")


def test_one_logs_in_with_a_plain_form_and_lands_where_one_was_going(vera):
    client = Client(enforce_csrf_checks=True)
    sent = {
        "username": "vera",
        "password": PASSWORD,
        "next": "/runs/",
        "csrfmiddlewaretoken": _token(client, "/login/"),
    }

    response = client.post("/login/", sent)

    assert (response.status_code, response["Location"]) == (302, "/runs/")
    assert client.session["_auth_user_id"] == str(vera.pk)


def test_a_wrong_password_is_said_aloud_and_the_name_stays(vera):
    response = Client().post("/login/", {"username": "vera", "password": "wrong"})
    page = read(response)

    assert response.status_code == 200
    assert any(attributes.get("role") == "alert" for _, attributes in page.tags)
    assert "correct username and password" in page.text
    assert any(control.get("value") == "vera" for control in page.all("input"))


def test_an_empty_form_names_each_field_that_is_missing(db):
    assert read(Client().post("/login/", {})).text.count("This field is required.") == 2


def test_the_log_in_never_sends_anybody_to_another_site(vera):
    response = Client().post("/login/", {"username": "vera", "password": PASSWORD, "next": "https://evil.example/"})

    assert response["Location"] == "/"


def test_a_form_without_its_token_is_refused_in_plain_words(db):
    response = Client(enforce_csrf_checks=True).post("/login/", {"username": "vera"})

    assert response.status_code == 403
    assert "The form was too old" in response.content.decode()


def test_logging_out_takes_a_post(vera):
    client = Client()
    client.force_login(vera)

    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/")["Location"] == "/login/"
    assert "_auth_user_id" not in client.session


def test_demo_users_are_named_only_where_the_installation_says_so(settings, get):
    assert "demonstration" not in get("/login/").content.decode()
    settings.DEMO_HINT = "Log in as reviewer with donna-demo."

    assert "Log in as reviewer with donna-demo." in get("/login/").content.decode()


@pytest.mark.parametrize(("theme", "following"), list(shell.THEMES.items()))
def test_the_server_renders_the_chosen_theme_so_that_nothing_flashes(theme, following):
    client = Client()
    client.cookies["theme"] = theme
    page = read(client.get("/login/"))
    root = page.all("html")[0]
    home = read(client.get("/"))
    offered = next(i["value"] for i in home.all("input") if i.get("name") == "theme")

    assert root.get("data-theme") == (None if theme == "system" else theme)
    assert offered == following


def test_choosing_a_theme_without_script_goes_back_to_the_page():
    response = Client().post("/theme/", {"theme": "dark", "next": "/runs/?status=failed"})

    assert response["Location"] == "/runs/?status=failed"
    assert response.cookies["theme"].value == "dark"
    assert response.cookies["theme"]["samesite"] == "Lax"


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", ""])
def test_choosing_a_theme_never_leads_to_another_site(back):
    assert Client().post("/theme/", {"theme": "dark", "next": back})["Location"] == "/login/"


def test_an_unknown_theme_is_not_kept():
    client = Client()
    client.cookies["theme"] = '"><script>'

    assert "theme" not in client.post("/theme/", {"theme": "pink", "next": "/"}).cookies
    assert "data-theme" not in read(client.get("/login/")).all("html")[0]


def test_the_admin_uses_the_same_log_in(db):
    response = Client().get("/admin/", follow=True)

    assert response.redirect_chain[-1][0] == "/login/?next=%2Fadmin%2F"


def test_the_admin_refuses_those_whom_it_is_not_for_instead_of_sending_them_round(vera):
    client = Client()
    client.force_login(vera)
    response = client.get("/admin/", follow=True)

    assert response.status_code == 403
    assert "You may not open this" in response.content.decode()


def test_the_admin_has_its_own_looser_policy_our_menu_and_the_badge_of_the_installation(db, settings):
    client = Client()
    client.force_login(User.objects.create_superuser("ada", password=PASSWORD))
    response = client.get("/admin/")
    links = {link.get("href") for link in read(response).all("a")}

    assert "'unsafe-eval'" in response["Content-Security-Policy"]
    assert {"/", "/skills/", "/runs/"} <= links
    assert settings.ENVIRONMENT.capitalize() in response.content.decode()


def test_the_offline_banner_shows_only_where_the_built_in_rules_answer(settings, get):
    assert "built-in offline rules" in get("/").content.decode()
    assert "built-in offline rules" not in get("/login/").content.decode()


def test_a_real_model_takes_the_banner_away(settings, get):
    settings.MODEL_ADAPTER, settings.OPENAI_API_KEY = "", "sk-test"

    assert "built-in offline rules" not in get("/").content.decode()


def test_the_curl_line_survives_quotes_and_never_holds_a_secret():
    request = RequestFactory().get("/try/", HTTP_HOST="localhost:8000")
    line = shell.curl_line(request, "/api/v1/runs", body={"text": "it's $HOME `ls`"})
    words = shlex.split(line.replace("\\\n", " "))

    assert words[1] == "http://localhost:8000/api/v1/runs"
    assert words[-1] == '{"text": "it\'s $HOME `ls`"}'
    assert "Bearer $DONNA_TOKEN" in line
