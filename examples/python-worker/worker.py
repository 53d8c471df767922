#!/usr/bin/env python3
"""A worker for TaskFlow in plain Python 3: python3 worker.py [server], with its key, if it needs one, in TASKFLOW_TOKEN."""
import itertools, json, os, secrets, signal, sys, threading, time, traceback, urllib.error, urllib.request

SERVER = (sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000").rstrip("/")
QUEUE, SLOTS, LEASE_MS = "python", 4, int(os.environ.get("LEASE_MS", 30_000))
stopping = threading.Event()
runs = set()  # what the heartbeat has to renew


def word_count(task_input, run):
    words = task_input["text"].split()
    for done, word in enumerate(words, start=1):
        run.check()  # ends here when the run was cancelled, its time is over, or the worker stops
        time.sleep(task_input.get("secondsPerWord", 0))
        run.progress = {"done": done, "total": len(words), "note": word[:50]}
    run.log("counted", words=len(words))
    return {"words": len(words), "echo": task_input.get("echo")}


TASKS = {"python.word-count": word_count}
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
WORKER = {"id": secrets.token_hex(16), "name": f"python-{os.getpid()}", "queues": {QUEUE: SLOTS}, "tasks": list(TASKS)}
ABOUT = {"worker": WORKER, "definitions": [{"name": "python.word-count", "queue": QUEUE, "inputSchema": SCHEMA}]}


class Stopped(Exception): """Ends a run that was cancelled or lost, whose time is over, or whose worker stops: with its outcome."""


class Run:
    def __init__(self, task):
        self.lease, self.began, self.progress, self.logs, self.told = task["lease"], time.monotonic(), None, [], "ok"
        self.ends, self.by_life = self.began + (task["runMs"] or float("inf")) / 1000, task["boundByLife"]

    def log(self, message, level="info", **fields):
        self.logs.append({"message": message, "level": level, "fields": fields})

    def check(self):
        if self.told != "ok" or stopping.is_set():
            raise Stopped({"outcome": "aborted" if self.told == "cancel" else "released"})
        if time.monotonic() > self.ends:
            raise Stopped({"outcome": "timedOut", "byLife": self.by_life})

    def report(self):
        (logs, self.logs), ran = (self.logs, []), int((time.monotonic() - self.began) * 1000)
        return {"lease": self.lease, "ranMs": ran, "progress": self.progress, "logs": logs}


def post(verb, message, timeout=10):
    """Sends until the server has answered: every message may be repeated. What it refuses ends the worker."""
    headers = {"content-type": "application/json", "authorization": "Bearer " + os.environ.get("TASKFLOW_TOKEN", "none")}
    request = urllib.request.Request(f"{SERVER}/api/v1/worker/{verb}", json.dumps(message).encode(), headers)
    for attempt in itertools.count():
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                stopping.set()
                raise SystemExit(f"{verb} was refused: {error.read().decode()}") from error
        except (OSError, ValueError): pass  # nobody there, or cut off: again
        time.sleep(0.2 * 2 ** min(attempt, 5))


def beat():
    """Renews all leases, with what is new. The definitions come along: a server forgets who was silent for long."""
    while runs or not stopping.wait(1):
        beating = list(runs)
        beats = {"leaseMs": LEASE_MS, "beats": [run.report() for run in beating]}
        for run, told in zip(beating, post("heartbeat", {**ABOUT, **beats})["answers"]):
            run.told = told
        time.sleep(1)


def slot():
    while not stopping.is_set():
        claim = {"worker": WORKER["id"], "token": secrets.token_hex(16), "queues": {QUEUE: 1}, "leaseMs": LEASE_MS}
        for task in post("claim", {**claim, "waitMs": 3000}, timeout=15)["tasks"]:
            runs.add(run := Run(task))
            try:
                end = {"outcome": "done", "result": TASKS[task["name"]](task["input"], run)}
                json.dumps(end, allow_nan=False)  # what is no JSON fails its run, not the worker
            except Stopped as why:
                end = why.args[0]
            except Exception as error:
                words = {"name": type(error).__name__, "message": str(error), "stack": traceback.format_exc()}
                end = {"outcome": "error", "error": words}
            post("outcome", {"worker": WORKER["id"], "outcomes": [{**run.report(), **end}]})
            runs.discard(run)


for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stopping.set())
post("register", ABOUT)
threads = [threading.Thread(target=work) for work in [beat] + [slot] * SLOTS]
[thread.start() for thread in threads]
print(json.dumps({"event": "ready", "worker": WORKER["name"]}), flush=True)
[thread.join() for thread in threads]
post("deregister", {"worker": WORKER})
