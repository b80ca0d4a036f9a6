"""The circuit breaker in a run: waited out once, then the run fails and says so."""

from updaters.daily_updater import DailyUpdater
from updaters.sandbox import Sandbox


def impatient(updater: DailyUpdater) -> None:
    updater.settings.retry_attempts = 1
    updater.settings.circuit_breaker_threshold = 1
    updater.settings.circuit_breaker_timeout = 1


def test_one_that_the_list_opens_is_waited_out(updater: DailyUpdater, sandbox: Sandbox) -> None:
    impatient(updater)
    sandbox.change(3)
    sandbox.fail_next("503", times=1)
    result = updater.run_daily_update()
    assert result["success"], result
    assert result["metrics"]["hearings_updated"] == 3
    assert updater.api_client.get_circuit_breaker_stats()["times_opened"] == 1


def test_an_outage_that_lasts_fails_the_run_as_an_open_breaker(
    updater: DailyUpdater, sandbox: Sandbox
) -> None:
    impatient(updater)
    sandbox.fail_next("503", times=1000)
    result = updater.run_daily_update()
    assert (result["success"], result["circuit_breaker_open"]) == (False, True), result


def test_an_api_whose_every_detail_answers_500_is_an_outage(
    updater: DailyUpdater, sandbox: Sandbox
) -> None:
    impatient(updater)
    sandbox.change(30)
    sandbox.fail_next("500", times=1000, path="/committee-meeting/119/")
    result = updater.run_daily_update()
    assert (result["success"], result["circuit_breaker_open"]) == (False, True), result


def test_a_broken_event_among_others_is_none(updater: DailyUpdater, sandbox: Sandbox) -> None:
    impatient(updater)
    [broken, *others] = sandbox.change(30)
    sandbox.fail_next("500", times=1000, path=f"/{broken}")
    result = updater.run_daily_update()
    assert result["success"], result
    assert result["metrics"]["hearings_updated"] == len(others)
    assert updater.api_client.get_circuit_breaker_stats()["times_opened"] == 0
