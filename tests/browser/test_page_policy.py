"""The policy that each page is sent with, and a browser that keeps to it."""

import pytest
from django.test import Client
from playwright.sync_api import Browser

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_page_is_sent_with_the_policy(client: Client) -> None:
    policy = client.get("/admin/login/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'unsafe-eval';" in policy + ";", "no inline script or handler"
    assert "http" not in policy, "no other host"


def test_a_script_that_was_smuggled_into_a_page_does_not_run(chromium: Browser, site: str) -> None:
    page = chromium.new_page(base_url=site)
    page.goto("/admin/login/")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.ran = true'>");
        }"""
    )
    page.wait_for_function("document.images[document.images.length - 1].complete")
    assert page.evaluate("window.ran") is None
    page.close()
