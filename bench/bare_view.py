"""The smallest Flask application there is: what the tiles are measured against."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def view() -> str:
    """Answer with a short text."""
    return "hello"
