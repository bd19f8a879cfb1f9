"""What the extension needs of the Stripe Dashboard: a page that shows a view in a sandboxed frame and signs its requests,
and a real browser that opens it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from .processes import PACKAGE_ROOT
from .signing import stripe_signature
from .waiting import eventually

APP = PACKAGE_ROOT / "integrations" / "stripe-app"

ADMINISTRATOR = {"type": "builtIn", "name": "Administrator"}
VIEWER = {"type": "builtIn", "name": "View only"}


@dataclass
class Member:
    """A person who is signed in to the Dashboard."""

    user: str = "usr_e2e"
    roles: list[dict[str, str]] = field(default_factory=lambda: [ADMINISTRATOR])


class Host:
    """Serves the harness page, and signs as Stripe does: with the app's secret, for roles that the person has only."""

    def __init__(self, signing_secret: str) -> None:
        subprocess.run([str(APP / "build.sh"), "harness"], check=True, timeout=120)
        self.signing_secret = signing_secret
        self.members: dict[str, Member] = {}
        owner = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path != "/sign":
                    return super().do_GET()
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                payload = json.loads(query["payload"])
                member = owner.members.get(query["user_id"], Member())
                if not all(role in member.roles for role in payload.get("stripe_roles", [])):
                    return self.answer(400, {"error": "not a role of this person"})
                payload |= {"user_id": query["user_id"], "account_id": query["account_id"]}
                signed = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
                self.answer(200, {"signature": stripe_signature(owner.signing_secret, signed)})

            def answer(self, status: int, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(APP / "build" / "harness")))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def origin(self, name: str) -> str:
        """The host under its own name. Browsers resolve every name under `localhost` to this machine."""
        return f"http://{name}.localhost:{self.port}"

    def close(self) -> None:
        self._server.shutdown()


class Browser:
    """Headless Chromium from the distribution."""

    def __init__(self, width: int = 420, height: int = 900) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        for argument in (
            "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
            "--force-device-scale-factor=2", "--lang=en-US", f"--window-size={width},{height}",
        ):
            options.add_argument(argument)
        driver = os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.driver.set_script_timeout(20)

    def size(self, width: int, height: int) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": False},
        )

    def close(self) -> None:
        self.driver.quit()


class Screen:
    """One view on the page, seen from inside its frame."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    @property
    def text(self) -> str:
        return self.browser.driver.find_element(By.TAG_NAME, "body").text

    def shows(self, *texts: str, seconds: float = 20) -> "Screen":
        eventually(lambda: self.text, lambda seen: all(text in seen for text in texts), f"the page shows {texts}", seconds)
        return self

    def labels(self) -> list[str]:
        controls = self.browser.driver.find_elements(By.CSS_SELECTOR, "button, a")
        return [control.get_attribute("aria-label") or control.text for control in controls]

    def press(self, label: str) -> "Screen":
        """Presses the last control of this name, because what opened last is on top."""
        controls = self.browser.driver.find_elements(By.CSS_SELECTOR, "button, a, summary")
        named = [c for c in controls if (c.get_attribute("aria-label") or c.text).split("\n")[0] == label]
        assert named, f"nothing is called {label!r}: {self.labels()}"
        named[-1].click()
        return self

    def link(self, label: str) -> str:
        for control in self.browser.driver.find_elements(By.CSS_SELECTOR, "a"):
            if control.text == label:
                return control.get_attribute("href") or ""
        raise AssertionError(f"no link is called {label!r}")

    def fetch(self, url: str, method: str, headers: dict[str, str], body: str | None) -> dict[str, Any]:
        """Sends a request as a script of this page does: with its origin and preflight. Returns what it may read."""
        return self.browser.driver.execute_async_script(
            """
            const [url, method, headers, body, done] = arguments;
            fetch(url, { method, headers, body: body ?? undefined })
              .then(async (response) => done({ status: response.status, text: await response.text() }))
              .catch((error) => done({ error: String(error) }));
            """,
            url, method, headers, body,
        )

    def picture(self, path: Path) -> None:
        """The whole frame, as high as its content."""
        driver = self.browser.driver
        height = driver.execute_script(
            """
            for (const toast of document.querySelectorAll('.toast')) toast.remove();
            const drawer = document.querySelector('.focus');
            if (drawer === null) return document.getElementById('root').scrollHeight;
            const parts = ['header', '.body > *', 'footer'].map((part) => drawer.querySelector(`:scope > ${part}`));
            return parts.reduce((sum, part) => sum + part.offsetHeight, 60);
            """
        )
        width = driver.execute_script("return innerWidth")
        self.browser.size(width, int(min(max(height, 240), 2400)))
        path.parent.mkdir(parents=True, exist_ok=True)
        driver.switch_to.default_content()
        driver.save_screenshot(str(path))
        driver.switch_to.frame("view")


class Dashboard:
    """Shows views of the extension as the Dashboard does."""

    def __init__(self, host: Host, browser: Browser, service_url: str) -> None:
        self.host = host
        self.browser = browser
        self.service_url = service_url

    def show(
        self, view: str, account: str, kind: str | None = None, object: str | None = None, mode: str = "test",
        member: Member | None = None, width: int = 420, service_url: str | None = None,
    ) -> Screen:
        """Opens a view in a frame that may run scripts and nothing else, and goes inside."""
        member = member or Member()
        self.host.members[member.user] = member
        context = {
            "userContext": {"id": member.user, "roles": member.roles, "account": {"id": account}},
            "environment": {
                "viewportID": "stripe.dashboard", "mode": mode,
                "objectContext": None if object is None else {"id": object, "object": kind},
                "constants": {"BASE_URL": service_url or self.service_url},
            },
        }
        base = f"http://127.0.0.1:{self.host.port}"
        scene = {"view": view, "signer": f"{base}/sign", "context": context}
        driver = self.browser.driver
        driver.get("about:blank")
        self.browser.size(width, 900)
        driver.get(f"{base}/index.html#{quote(json.dumps(scene))}")
        driver.switch_to.frame("view")
        return Screen(self.browser)

    def plain_page(self, origin: str) -> Screen:
        """A page with another origin, without any frame."""
        self.browser.driver.get(f"{origin}/harness.css")
        return Screen(self.browser)

    def poster(self, title: str, sentence: str, picture: Path, path: Path) -> None:
        """A picture for the marketplace's listing: 1600 wide, a line of text beside what the app shows."""
        image = base64.b64encode(picture.read_bytes()).decode()
        page = f"""<!doctype html><meta charset="utf-8"><style>
            body {{ margin: 0; height: 500px; display: grid; grid-template-columns: 1fr 1fr; background: #0f6e6e;
                    font-family: Inter, sans-serif; color: #fff; overflow: hidden }}
            section {{ padding: 0 20px 0 56px; align-self: center }}
            h1 {{ font-size: 36px; line-height: 42px; font-weight: 700; margin: 0 0 16px; letter-spacing: -.02em }}
            p {{ font-size: 16px; line-height: 24px; margin: 0; color: #bff0e4 }}
            img {{ width: 320px; margin: 44px auto 0; display: block; border-radius: 12px 12px 0 0;
                   box-shadow: 0 20px 50px rgb(0 0 0 / 35%) }}
            </style><section><h1>{title}</h1><p>{sentence}</p></section><img src="data:image/png;base64,{image}">"""
        driver = self.browser.driver
        self.browser.size(800, 500)
        driver.get("about:blank")
        driver.execute_script("document.open(); document.write(arguments[0]); document.close()", page)
        driver.execute_async_script("document.images[0].decode().then(() => document.fonts.ready).then(arguments[0])")
        driver.save_screenshot(str(path))
