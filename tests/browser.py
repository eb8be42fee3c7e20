"""Opens pages in headless Chromium, which is spoken to through a pipe."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess

EXECUTABLE = shutil.which("chromium") or shutil.which("google-chrome")
PATIENCE = 60  # seconds
OPTIONS = [
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--allow-file-access-from-files",
    "--remote-debugging-pipe",
    "--no-first-run",
]


class Browser:
    """
    A Chromium with one page.

    Parameters
    ----------
    folder : path
        For its profile.

    Attributes
    ----------
    events : list of dict
        What the page has reported since it was opened: requests, messages, exceptions.
    """

    def __init__(self, folder):
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        to_read, self.write_end = os.pipe()
        self.read_end, to_write = os.pipe()
        command = [EXECUTABLE, *OPTIONS, *root, f"--user-data-dir={folder}"]
        # it reads from descriptor 3 and writes to 4
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}', *command],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self.received, self.numbers, self.events, self.session = b"", itertools.count(1), [], {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.session = {"sessionId": session}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.session = {}
        try:
            self.call("Browser.close")
            self.process.wait(PATIENCE)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.read_end)
        os.close(self.write_end)

    def receive(self):
        """Return the next message; one that is an event is kept as well."""
        while b"\0" not in self.received:
            if not select.select([self.read_end], [], [], PATIENCE)[0]:
                raise TimeoutError(f"{EXECUTABLE} has said nothing for {PATIENCE} s")
            part = os.read(self.read_end, 1 << 16)
            if not part:
                raise RuntimeError(f"{EXECUTABLE} has ended: {self.process.wait()}")
            self.received += part
        message, _, self.received = self.received.partition(b"\0")
        message = json.loads(message)
        if "method" in message:
            self.events.append(message)
        return message

    def call(self, method, **parameters):
        """Call a method of the protocol; return its result."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters, **self.session}
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, address, width, height=900):
        """Open a page, in a window of this size, and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.receive()

    def evaluate(self, expression):
        """Return the value of an expression of JavaScript, or of its promise."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return answer["result"].get("value")

    def screenshot(self):
        """Return what the window shows, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def requests(self):
        """Return the addresses that the page has asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def errors(self):
        """Return what the page has written to the console as errors and warnings."""
        found = []
        for event in self.events:
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(parameters["exceptionDetails"]["text"])
            elif event["method"] == "Log.entryAdded":
                found.append(parameters["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled":
                if parameters["type"] in ("error", "warning", "assert"):
                    found.append(str(parameters["args"]))
        return found
