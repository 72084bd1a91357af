"""How gunicorn serves Leadline: threads that wait, and workers that know who can reach them."""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from gunicorn import util
from gunicorn.http import parser

FILE = dotenv_values(Path(__file__).resolve().with_name(".env"))


def _chosen(name: str, default: str) -> str:
    """A variable of the environment, else of `.env`, without a trailing ` # comment`."""
    value = os.environ.get(name) or FILE.get(name) or ""
    return f" {value}".split(" #")[0].strip() or default


def _bind() -> str:
    """HOST and PORT when they are set; `-b` on the command line beats both."""
    host = _chosen("HOST", "127.0.0.1").strip("[]")
    return (
        f"[{host}]:{_chosen('PORT', '8000')}"
        if ":" in host
        else f"{host}:{_chosen('PORT', '8000')}"
    )


bind = _bind()
workers = int(_chosen("WEB_CONCURRENCY", "2"))
# Measured: eight threads a worker commit 2.5 times as many answers as a sync worker. The pool of
# each worker's engine has as many connections as it has threads (pool_size = threads), so count
# workers x (threads + 2) connections when you set PostgreSQL's max_connections.
worker_class = "gthread"
threads = 8
timeout = 30
graceful_timeout = 20
# The longest there is without having no limit; an address with filters in it is soon 4,094 long.
limit_request_line = 8190
# What is left of a refused body is read and thrown away up to this, so that the connection serves
# the next request as the reply has promised. There is no setting for it.
parser._DRAIN_MAX_BYTES = 16 * 1024 * 1024
# Two installations of one user would meet at the same path; nothing of ours talks to it.
control_socket_disable = True

_metrics: list[str] = []


def _refuse(sock: Any, status: int, _reason: str, _message: str) -> None:
    """Tell in our words what gunicorn refuses before the application is asked."""
    from web.unreadable import refusal

    util.write_nonblock(sock, refusal(status).raw())


# A page of HTML otherwise, for which there is no setting either.
util.write_error = _refuse


def on_starting(server: Any) -> None:
    """Tell the workers what only gunicorn knows: how many they are and who can reach them."""
    if server.cfg.preload_app:
        # A preloaded application has read its settings before this hook, and would take an open
        # address for a closed one.
        sys.exit(
            "Leadline does not run with --preload: the workers read their settings themselves."
        )
    os.environ["LEADLINE_WORKERS"] = str(server.cfg.workers)
    os.environ["LEADLINE_BIND"] = _most_open(server.cfg.address)
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        _metrics.append(tempfile.mkdtemp(prefix="leadline-metrics-"))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics[0]


def _most_open(addresses: list[Any]) -> str:
    """The first address that others can reach, else the first one; a socket file is `unix`."""
    hosts = [address[0] if isinstance(address, tuple) else "unix" for address in addresses]
    return next((host for host in hosts if not _is_loopback(host)), hosts[0])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that is gone; its counts stay."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(_server: Any) -> None:
    """Remove the folder of counts, if it was made here."""
    for folder in _metrics:
        shutil.rmtree(folder, ignore_errors=True)
