"""The page of an imaginary shop, in development: where a newcomer sees what there is to try."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from web.unit_of_work import resources
from web.widget.pages import versioned

pages = Blueprint("shop", __name__, template_folder="templates")


@pages.get("/")
def home() -> ResponseReturnValue:
    """The shop; in production nobody's shop is imaginary, and the chat itself is shown."""
    if not resources().settings.is_development:
        return redirect("/chat")
    products = resources().shipped.workflow.products
    text = render_template(
        "shop/home.html",
        products=products,
        address=request.host_url.rstrip("/"),
        css=versioned("shop.css"),
    )
    reply: Response = make_response(text)
    reply.headers["Cache-Control"] = "no-store"
    return reply
