"""The style page: every macro in every state on real pages, to look at and to test.

`python -m tests.templates.style_page FOLDER` serves it, and writes a screenshot of each page at
320, 390 and 1280 px, light and dark, and as it prints.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import wtforms
from flask import Flask, abort, render_template, request
from flask_babel import Babel
from flask_wtf import CSRFProtect, FlaskForm
from jinja2 import FileSystemLoader
from playwright.sync_api import sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server
from wtforms import validators
from wtforms.fields import SelectChoice

from app.blueprints.assets import serve_assets
from app.blueprints.context import give_context
from app.blueprints.headers import send_headers
from app.config import Settings

APP = Path(__file__).resolve().parents[2] / "app"
PAGES = ("form", "form-errors", "review", "menu", "signin", "live", "live-unknown", "list")
ELSEWHERE = {
    "language.switch": "POST",
    "signin.logout": "POST",
    "manual.show": "GET",
    "manage.menu": "GET",
    "monitor.show": "GET",
}
LONG_NAME = "寿限無寿限無五劫の擦り切れ海砂利水魚の水行末雲来末風来末食う寝る処に住む処"


class SampleForm(FlaskForm):
    """One field of every kind the portal uses."""

    family_name = wtforms.StringField("姓", [validators.DataRequired("姓を入力してください。")])
    given_name = wtforms.StringField("名", [validators.DataRequired("名を入力してください。")])
    email = wtforms.EmailField(
        "メールアドレス",
        [validators.DataRequired("メールアドレスを入力してください。")],
        description="ログインするときのユーザIDになります。異常のお知らせもこちらへお送りします。",
        render_kw={"autocomplete": "email"},
    )
    postal = wtforms.StringField(
        "郵便番号", [validators.DataRequired("郵便番号を7桁の数字で入力してください。")]
    )
    prefecture = wtforms.SelectField(
        "都道府県",
        choices=[
            SelectChoice("", "選択してください"),
            SelectChoice("京都府"),
            SelectChoice("大阪府"),
        ],
    )
    building = wtforms.StringField("建物名")
    power = wtforms.StringField("契約電流")
    kind = wtforms.RadioField(
        "お住まい", choices=[SelectChoice("own", "戸建て"), SelectChoice("flat", "集合住宅")]
    )
    memo = wtforms.TextAreaField("メモ")
    new_password = wtforms.PasswordField(
        "新しいパスワード", [validators.DataRequired("パスワードを入力してください。")]
    )
    remember = wtforms.BooleanField("この端末でログインしたままにする")


def create_style_app() -> Flask:
    """Build an app with our templates, static files and headers, without the blueprints."""
    app = Flask("style_page", root_path=str(APP))
    assert isinstance(app.jinja_loader, FileSystemLoader)
    app.jinja_loader.searchpath.append(str(Path(__file__).parent / "pages"))
    app.config.update(SECRET_KEY="style", WTF_CSRF_CHECK_DEFAULT=False)
    app.extensions["settings"] = Settings(testing=True, _env_file=None)
    Babel(app, locale_selector=lambda: request.args.get("locale", "ja"))
    CSRFProtect(app)
    give_context(app)
    serve_assets(app)
    send_headers(app, https=False)
    # no new terms are announced
    app.jinja_env.globals["coming_terms"] = lambda: None

    for endpoint, method in ELSEWHERE.items():
        rule = "/elsewhere/" + endpoint.replace(".", "/")
        app.add_url_rule(rule, endpoint, lambda: "", methods=[method])

    @app.context_processor
    def visitor() -> dict[str, object]:
        name = LONG_NAME if "long" in request.args else "山田 太郎"
        return {"current_user": SimpleNamespace(is_authenticated=True, display_name=name)}

    @app.route("/<page>", methods=["GET", "POST"])
    def show(page: str) -> str:
        if page not in PAGES:
            abort(404)
        form = SampleForm(meta={"csrf": False})
        if page == "form-errors":
            form.validate()
        template = f"{page.removesuffix('-errors')}.html"
        return render_template(template, form=form, long_name=LONG_NAME)

    @app.post("/check")
    def check() -> str:
        form = SampleForm(meta={"csrf": False})
        form.validate()
        return render_template("check.html", form=form)

    return app


class Quiet(WSGIRequestHandler):
    """Serve without a line per request."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve the app on a port of the system's choice; yields its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def main(folder: Path) -> None:
    """Write a screenshot of every page, width and scheme into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with served(create_style_app()) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for width in (320, 390, 1280):
            for scheme in ("light", "dark"):
                page = browser.new_page(
                    viewport={"width": width, "height": 844 if width < 1000 else 900},
                    color_scheme="dark" if scheme == "dark" else "light",
                )
                page.on("console", lambda message: print("console:", message.text))
                page.on("pageerror", lambda error: print("error:", error))
                for name in PAGES:
                    page.goto(f"{url}/{name}")
                    page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
                    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                        print(f"{name} scrolls sideways at {width}")
                page.close()
        page = browser.new_page()
        page.goto(f"{url}/review")
        page.pdf(path=folder / "review.pdf", format="A4")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
