"""`flask campaign publish`."""

from flask import Flask
from flask.testing import FlaskClient


def test_the_text_that_comes_with_the_portal_is_published_once(
    app: Flask, client: FlaskClient
) -> None:
    runner = app.test_cli_runner()
    assert client.get("/").location == "/register"
    assert "published: ご自宅の太陽光発電" in runner.invoke(args=["campaign", "publish"]).output
    assert "ご自宅の太陽光発電と蓄電池を" in client.get("/").text
    assert "nothing to do" in runner.invoke(args=["campaign", "publish"]).output
