"""What must not happen on any page, whatever a test does there."""

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, Response


class Watched:
    """Collects console errors, page errors, dialogs, failed answers and requests to other hosts."""

    def __init__(self, page: Page, host: str) -> None:
        """Watch `page`, which belongs to `host`."""
        self.page = page
        self.wrong: list[str] = []
        self._host = host
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrong.append(f"page error: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)
        # Nothing on KCX's pages opens a dialog: one that opens was smuggled in.
        page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text} on {self.page.url}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.netloc != self._host:
            self.wrong.append(f"request to another host: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.wrong.append(f"{response.status} for {response.url}")
