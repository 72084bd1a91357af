"""Alerts through Exim, a mail server of the real world: TLS, login, refusals, and what arrives."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from integrations.channels.base import Alert
from integrations.channels.email import Email
from integrations.errors import ConnectionRefused, ItemRefused, TryLater
from integrations.smtp import SmtpSettings
from lib.clock import SettableClock
from tests.integrations.mailbox import PASSWORD, Papers, make_papers

pytestmark = pytest.mark.nightly

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
ALICE, NOBODY, GREY = "alice@here.example", "nobody@here.example", "greylist@here.example"
ALERT = Alert(
    id="al_1",
    trigger="became_sql",
    title="New SQL lead",
    occurred_at=NOW,
    name="=?utf-8?q?Acme=0D=0ABcc=3A_victim=40here.example?= Zürich",
    email="jane@acme.example",
    url="https://leads.example.com/leads/7",
)
CONFIGURATION = """
primary_hostname = mail.here.example
local_interfaces = 127.0.0.1
queue_only = true
keep_environment =
daemon_smtp_ports = {port}
exim_user = {user}
exim_group = {group}
never_users =
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
tls_certificate = {certificate}
tls_privatekey = {key}
tls_advertise_hosts = *
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
message_size_limit = 20K
acl_smtp_rcpt = rcpt
acl_smtp_data = accept_it
domainlist ours = here.example
begin acl
rcpt:
  deny  !authenticated = *
        message = Log in first
  defer local_parts = greylist
        message = Greylisted, try again later
  deny  local_parts = nobody
        message = No such user here
  deny  !domains = +ours
        message = Relay not permitted
  accept
accept_it:
  accept
begin routers
ours:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  create_directory
  user = {user}
  group = {group}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{alerts}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""


@dataclass(frozen=True)
class Exim:
    """A running Exim: where it listens, and its folder, in which its mail arrives."""

    program: str
    port: int
    papers: Papers
    folder: Path

    @property
    def configuration(self) -> Path:
        """The file that its configuration stands in."""
        return self.folder / "exim.conf"

    def channel(self, *, password: str = PASSWORD) -> Email:
        """The channel, connected to it."""
        settings = SmtpSettings("localhost", self.port, "alerts", password, "alerts@here.example")
        return Email(settings, SettableClock(NOW), tls=self.papers.client_side())

    def arrived(self) -> list[EmailMessage]:
        """The letters in the mailbox, once everything in the queue is delivered."""
        # Until then they wait, so that no test has to guess how long a delivery takes.
        subprocess.run([self.program, "-C", str(self.configuration), "-qf"], check=True)
        files = sorted((self.folder / "mail" / "new").glob("*"))
        found = [message_from_bytes(file.read_bytes(), policy=default) for file in files]
        return [letter for letter in found if isinstance(letter, EmailMessage)]


@pytest.fixture
def exim() -> Iterator[Exim]:
    """Exim in the foreground, with a folder of its own for everything it writes."""
    program = shutil.which("exim4") or shutil.which("exim4", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("No exim4 is installed.")
    # Not pytest's folder, which is closed to the user that Exim becomes.
    with tempfile.TemporaryDirectory(prefix="leadline-exim-") as made:
        server = Exim(program, _free_port(), make_papers(Path(made)), Path(made))
        _furnish(server)
        command = [program, "-C", str(server.configuration), "-bdf"]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            try:
                _wait_until_it_listens(server.port, process)
                yield server
            finally:
                process.terminate()


def _furnish(server: Exim) -> None:
    """Its configuration and its folders, which belong to whom it delivers as."""
    # That is never root.
    name = "Debian-exim" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    owner = pwd.getpwnam(name)
    for folder in ("spool", "log"):
        (server.folder / folder).mkdir()
    for path in (server.folder, *server.folder.iterdir()):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    server.folder.chmod(0o755)
    server.configuration.write_text(
        CONFIGURATION.format(
            port=server.port,
            user=owner.pw_uid,
            group=owner.pw_gid,
            folder=server.folder,
            certificate=server.papers.certificate,
            key=server.papers.key,
            password=PASSWORD,
        )
    )
    server.configuration.chmod(0o644)


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except ConnectionRefusedError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            assert process.stderr is not None
            pytest.fail(f"Exim ended: {process.stderr.read().decode()}")


def test_an_alert_arrives_whole_and_without_an_added_header(exim: Exim) -> None:
    receipt = exim.channel().send(ALERT, ALICE)

    (letter,) = exim.arrived()
    assert receipt.status == 250 and receipt.reply.startswith("OK id=")
    assert letter["Bcc"] is None and letter["To"] == ALICE
    assert letter["Subject"].startswith("New SQL lead: = ?utf-8?q?Acme")
    assert letter["Reply-To"] == "jane@acme.example"
    assert letter["Message-ID"].startswith("<al1.")
    assert "TLS" in letter["Received"]
    assert "https://leads.example.com/leads/7" in letter.get_body(("plain",)).get_content()


def test_exims_refusals_have_their_consequences(exim: Exim) -> None:
    channel = exim.channel()

    with pytest.raises(ConnectionRefused) as wrong:
        exim.channel(password="wrong").send(ALERT, ALICE)
    with pytest.raises(TryLater) as grey:
        channel.send(ALERT, f"{ALICE}, {GREY}")
    with pytest.raises(ItemRefused) as nobody:
        channel.send(ALERT, NOBODY)
    with pytest.raises(ItemRefused) as foreign:
        channel.send(ALERT, "somebody@elsewhere.example")
    with pytest.raises(ItemRefused, match="at most 20480"):
        channel.send(replace(ALERT, details=(("x", "w" * 900),) * 20), ALICE)

    assert (wrong.value.status, grey.value.status) == (535, 451)
    assert (nobody.value.status, foreign.value.status) == (550, 550)
    assert len(grey.value.progress["sent"]) == len(exim.arrived()) == 1
