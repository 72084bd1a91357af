"""Letters with a one-time link: written in one unit, handed over while no transaction is open."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from integrations import smtp
from integrations.errors import ConnectionRefused, DeliveryError, ItemRefused
from models import Job
from services import Services, unit_of_work
from services.job_service import Progress
from services.resources import Resources

log = structlog.get_logger(__name__)

# The same whether there was somebody to write to or not: who asked must not find out.
DONE = Progress(result={})


def prepare_letter(resources: Resources, job: Job) -> Callable[[Services, Job], Progress]:
    """Send what a job asks for; what is left to do in its transaction."""
    with unit_of_work(resources) as services:
        letter = services.account_mail.write(job.payload)
    if letter is None:
        return lambda services, job: DONE
    try:
        posted = smtp.post(letter.server, letter.raw, (letter.recipient,))
    except DeliveryError as error:
        is_final = isinstance(error, ConnectionRefused | ItemRefused)
        log.warning("a letter to a colleague did not leave", reason=error.reason, final=is_final)
        return _give_up if is_final else _again
    if posted.refused:
        log.warning("a letter to a colleague was refused", status=posted.refused[0].status)
        return _give_up if posted.refused[0].is_final else _again
    return lambda services, job: DONE


def _give_up(services: Services, job: Job) -> Progress:
    return DONE


def _again(services: Services, job: Job) -> Progress:
    services.account_mail.ask_again(job.payload)
    return DONE
