"""Modbus/TCP Security against a real Modbus server that speaks TLS."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop

from app.drivers.modbus import Outcome, PollResult, Target, poll
from app.drivers.security import Trust, Unready
from simulator.household import Config
from simulator.server import running_simulator

from .certificates import Authority

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
HOME = "SIM000000001"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def server_side(certificate: Path, **rest: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    for name, value in rest.items():
        setattr(context, name, value)
    return context


def read(
    context: ssl.SSLContext, trust: Trust, where: str = "tls://127.0.0.1:{port}/1"
) -> PollResult:
    with running_simulator([Config(HOME)], tls=context) as running:
        port = running.endpoints[HOME].split(":")[2].split("/")[0]
        target = Target(1, where.format(port=port), "sunspec", None, HOME)
        return uvloop.run(poll(target, timeout_s=3, now=lambda: NOW, trust=trust))


def test_a_gateway_of_the_authority_is_read(authority: Authority) -> None:
    result = read(server_side(authority.sign("good", "127.0.0.1")), Trust(authority.file))
    assert result.outcome is Outcome.OK, result.detail
    assert result.discovery
    assert result.discovery.identity.manufacturer == "Hidamari"


def test_a_gateway_may_go_by_a_name_of_its_own(authority: Authority) -> None:
    context = server_side(authority.sign("named", "gateway-7.example.org"))
    named = "tls://127.0.0.1:{port}/1?name=gateway-7.example.org"
    assert read(context, Trust(authority.file), named).outcome is Outcome.OK
    for where in ("tls://127.0.0.1:{port}/1", "tls://127.0.0.1:{port}/1?name=other.example.org"):
        result = read(context, Trust(authority.file), where)
        assert result.outcome is Outcome.UNREACHABLE
        assert "mismatch" in result.detail


def test_a_gateway_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    result = read(server_side(other.sign("good", "127.0.0.1")), Trust(authority.file))
    assert result.outcome is Outcome.UNREACHABLE
    assert "certificate refused" in result.detail


@pytest.mark.parametrize(("since", "until", "told"), [(-9, -1, "expired"), (1, 9, "not yet valid")])
def test_a_certificate_out_of_its_time_is_refused(
    authority: Authority, since: int, until: int, told: str
) -> None:
    file = authority.sign(
        "late", "127.0.0.1", since=timedelta(days=since), until=timedelta(days=until)
    )
    result = read(server_side(file), Trust(authority.file))
    assert result.outcome is Outcome.UNREACHABLE
    assert told in result.detail


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_gateway_that_asks_for_a_certificate_gets_its_own(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = server_side(
        authority.sign("good", "127.0.0.1"),
        verify_mode=ssl.CERT_REQUIRED,
        minimum_version=version,
        maximum_version=version,
    )
    context.load_verify_locations(authority.file)
    shown = Authority(tmp_path / "shown", "shown")
    trust = Trust(authority.file, shown.folder)

    missing = read(context, trust)
    assert missing.outcome is Outcome.UNREACHABLE
    assert "TLS" in missing.detail

    shown.sign(HOME)
    wrong = read(context, trust)
    assert wrong.outcome is Outcome.UNREACHABLE
    assert "TLS" in wrong.detail

    authority.sign(HOME).rename(shown.folder / f"{HOME}.pem")
    good = read(context, trust)
    assert good.outcome is Outcome.OK, good.detail


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_a_gateway_that_only_knows_old_tls_is_refused(authority: Authority) -> None:
    context = server_side(authority.sign("good", "127.0.0.1"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    result = read(context, Trust(authority.file))
    assert result.outcome is Outcome.UNREACHABLE
    assert "TLS" in result.detail


def test_plain_tcp_is_no_way_out(authority: Authority) -> None:
    with running_simulator([Config(HOME)]) as running:
        where = running.endpoints[HOME].replace("tcp://", "tls://")
        target = Target(1, where, "sunspec", None, HOME)
        result = uvloop.run(poll(target, timeout_s=1, now=lambda: NOW, trust=Trust(authority.file)))
    assert result.outcome is Outcome.UNREACHABLE
    assert "TLS" in result.detail
    # and whoever speaks plainly to a gateway of TLS learns nothing
    plain = read(
        server_side(authority.sign("good", "127.0.0.1")),
        Trust(authority.file),
        "tcp://127.0.0.1:{port}/1",
    )
    assert plain.outcome in (Outcome.UNREACHABLE, Outcome.TIMEOUT)


def test_a_peer_that_never_shakes_hands_is_given_up(authority: Authority) -> None:
    async def main() -> PollResult:
        async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(2)
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = Target(1, f"tls://127.0.0.1:{port}/1", "sunspec", None, HOME)
        try:
            return await poll(target, timeout_s=0.3, now=lambda: NOW, trust=Trust(authority.file))
        finally:
            server.close()

    result = uvloop.run(main())
    assert result.outcome is Outcome.UNREACHABLE
    assert result.detail == "TLS: no handshake in time"


def test_a_gateways_file_is_found_by_its_id_alone(authority: Authority, tmp_path: Path) -> None:
    authority.sign("elsewhere")
    folder = tmp_path / "shown"
    folder.mkdir()
    trust = Trust(authority.file, folder)
    assert trust.context("../authority/elsewhere") is trust.context("")


def test_without_an_authority_nobody_is_spoken_to(authority: Authority) -> None:
    result = read(server_side(authority.sign("good", "127.0.0.1")), Trust())
    assert result.outcome is Outcome.UNREACHABLE
    assert "MODBUS_TLS_CA" in result.detail


def test_a_file_that_is_no_certificate_is_said(authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / f"{HOME}.pem"
    file.write_text("rubbish")
    with pytest.raises(Unready, match="cannot be used"):
        Trust(authority.file, tmp_path).context(HOME)
    with pytest.raises(Unready, match="cannot be used"):
        Trust(tmp_path / "gone.crt").context(HOME)


def test_files_that_changed_are_read_again(authority: Authority, tmp_path: Path) -> None:
    trust = Trust(authority.file, tmp_path)
    first = trust.context(HOME)
    assert trust.context(HOME) is first
    authority.sign(HOME).rename(tmp_path / f"{HOME}.pem")
    second = trust.context(HOME)
    assert second is not first
    assert trust.context("SIM000000002") is first
