"""Deep checks of a configuration against the machine: scripts, keys, addresses, data sources.

Reads files and changes nothing. `load` alone never fails for these; starting and `moonpost check` ask here.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from moonpost.adapters.dns import nameserver, servers_in
from moonpost.adaptive import checks
from moonpost.config.build import FOREIGN_DRIVERS
from moonpost.config.diagnostics import Diagnostic, Place, diagnostic, did_you_mean, in_order
from moonpost.config.model import BUILT_IN_POOLS, Config
from moonpost.config.node import Node
from moonpost.config.receiving import receiving
from moonpost.config.scopes import LISTENERS
from moonpost.observe.custom import BadFormat, compile_format, sanitizer
from moonpost.policy.search import SourceRefused, find

DRIVERS: Final = ("sqlite", "pgsql", "postgresql", "postgres", "mysql", "mariadb")

_MONITOR: Final = re.compile(r"\d+(\.\d+)?,\s*[1-9]\d*")
_MACRO: Final = re.compile(r"%\{[ds]\}")


def validate(config: Config) -> list[Diagnostic]:
    """Everything that would keep the server from starting or policy from working."""
    return in_order(problem for check in CHECKS for problem in check(config))


def _scripts(config: Config) -> Iterator[Diagnostic]:
    roots = [Path(folder) for folder in config.script_folders]
    allow_writable = bool(config.option("allow_writable_policy"))
    for script in config.scripts():
        place = _of(config, script.place)
        if not script.source:
            yield diagnostic("C514", place, f'script "{script.name}" has no source')
            continue
        try:
            found = find(script.source, roots, allow_writable=allow_writable)
        except SourceRefused as refused:
            yield diagnostic("C515", place, str(refused))
            continue
        if found is None:
            where = ", ".join(str(root) for root in roots)
            yield diagnostic(
                "C514", place, f"no script `{script.source}` can be found", f"looked in {where}"
            )
            continue
        try:
            found.path.read_bytes()
        except OSError as error:
            yield diagnostic("C514", place, f"{found.path}: {os.strerror(error.errno or 0)}")


def _of(config: Config, place: Place) -> Place:
    """The place of a script's source when it is set, that of the stanza otherwise."""
    for stanza in config.root.named("scriptlet"):
        for script in stanza.named("script"):
            if script.place == place and "source" in script.settings:
                return script.settings["source"].written.place
    return place


def _keys(config: Config) -> Iterator[Diagnostic]:
    for module in ("opendkim", "dkim_sign"):
        for stanza in config.root.named(module):
            if stanza.get("enabled") is not False:
                yield from _module_keys(stanza)


def _module_keys(stanza: Node) -> Iterator[Diagnostic]:
    inner = [*stanza.named("dkim_domain"), *stanza.named("dk_domain")]
    for node in (stanza, *inner):
        setting = node.settings.get("key")
        if setting is None and node is not stanza:
            # A domain that takes the key of the stanza around it fills in its own name.
            setting = stanza.settings.get("key")
        if setting is None:
            continue
        domain = node.get("base_domain") or (node.instance if node is not stanza else None)
        selector = node.get("selector") or stanza.get("selector")
        path = str(setting.value)
        for macro, text in (("%{d}", domain), ("%{s}", selector)):
            path = path.replace(macro, text) if text else path
        if _MACRO.search(path):
            continue  # which file is meant is known when a message is signed
        problem = _loads(path, lambda content: load_pem_private_key(content, None))
        if problem:
            yield diagnostic("C516", setting.written.place, problem)


def _loads(path: str, load: Callable[[bytes], object]) -> str:
    try:
        load(Path(path).read_bytes())
    except OSError as error:
        return f"{path}: {os.strerror(error.errno or 0)}"
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        return f"{path} is no private key that can be used: {error}"
    return ""


def _certificates(config: Config) -> Iterator[Diagnostic]:
    for _, node in config.root.walk():
        certificate = node.settings.get("tls_certificate")
        key = node.settings.get("tls_key")
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            path = str(certificate.value)
            try:
                context.load_cert_chain(path, str(key.value) if key else None)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                both = f"{path} with key {key.value}" if key else path
                yield diagnostic("C516", certificate.written.place, f"{both}: {reason}")
        elif key is not None:
            yield diagnostic(
                "C516", key.written.place, "TLS_Key stands without TLS_Certificate in this scope"
            )


def _listeners(config: Config) -> Iterator[Diagnostic]:
    met: dict[tuple[str, str], Place] = {}
    for listener in (name.lower() for name in LISTENERS):
        for node in config.root.named(listener):
            for listen in node.named("listen"):
                yield from _listen(listener, listen, met)


def _listen(listener: str, listen: Node, met: dict[tuple[str, str], Place]) -> Iterator[Diagnostic]:
    name = listen.instance or ""
    try:
        address, port = endpoint(name)
    except ValueError as error:
        yield diagnostic("C517", listen.place, f'Listen "{name}": {error}')
        return
    if listener == "control_listener" and port:
        yield diagnostic(
            "C517",
            listen.place,
            f'Listen "{name}": the console listens on sockets in the file system only',
            'write a path, like `Listen "var/console.sock" {}`',
        )
        return
    before = met.setdefault((address, port), listen.place)
    if before is not listen.place and port != "0":
        message = f'Listen "{name}": {before.brief} listens at the same address'
        yield diagnostic("C517", listen.place, message)


def endpoint(text: str) -> tuple[str, str]:
    """Address and port of a Listen, or its path and an empty port. ValueError says what is wrong."""
    if "/" in text or ":" not in text:
        if not text:
            raise ValueError("an address or a path is missing")
        return text, ""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise ValueError(f"`{port}` is no port")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if host != "*":
            host = str(ip_address(host))
        return f"[{host}]", port
    if host in ("", "*"):
        return "*", port
    return str(ip_address(host)), port


def _datasources(config: Config) -> Iterator[Diagnostic]:
    accepted = {name.lower() for name in config.option("accept_missing")}
    pools = {name.lower() for name in config.thread_pools()}
    for source in config.root.named("datasource"):
        uri = source.settings.get("uri")
        if uri is None or not uri.value:
            yield diagnostic("C518", source.place, f'Datasource "{source.instance}" has no uri')
            continue
        for word in uri.written.words:
            scheme, colon, _ = word.text.partition(":")
            if colon and (scheme.lower() in DRIVERS or scheme.lower() in accepted):
                continue
            wrong = f"moonpost has no driver `{scheme}`" if colon else "a uri is `driver:rest`"
            help = (
                f'`accept_missing = ( "{scheme.lower()}" )` starts without it'
                if scheme.lower() in FOREIGN_DRIVERS
                else did_you_mean(scheme, DRIVERS) or f"drivers: {', '.join(DRIVERS)}"
            )
            yield diagnostic("C518", word.place, f"`{word.text}`: {wrong}", help)
        pool = source.settings.get("pool")
        if pool is not None and str(pool.value).lower() not in pools:
            yield _nothing(pool.written.place, "ThreadPool", str(pool.value), BUILT_IN_POOLS)


def _references(config: Config) -> Iterator[Diagnostic]:
    """Pathways and thread pools that are named must be there."""
    pathways = [
        node.instance or ""
        for scope in (config.root, *config.root.named("pathway_group"))
        for node in scope.named("pathway")
    ]
    pools = {name.lower(): name for name in config.thread_pools()}
    for _, node in config.root.walk():
        pathway = node.settings.get("pathway")
        if pathway is not None and pathway.value not in pathways:
            yield _nothing(pathway.written.place, "Pathway", str(pathway.value), pathways)
        pool = node.settings.get("pool_name")
        if pool is not None and str(pool.value).lower() not in pools:
            yield _nothing(pool.written.place, "ThreadPool", str(pool.value), pools.values())


def _nothing(place: Place, kind: str, name: str, known: Iterable[str]) -> Diagnostic:
    message = f"`{name}` is no configured {kind}"
    return diagnostic("C519", place, message, did_you_mean(name, known))


def _name_servers(config: Config) -> Iterator[Diagnostic]:
    given = config.root.settings.get("nameservers")
    if given is not None and given.value:
        for word in given.written.words:
            try:
                nameserver(word.text)
            except ValueError as error:
                yield diagnostic("C524", word.place, f"`{word.text}` is no name server: {error}")
        return
    file = str(config.option("resolv_conf"))
    if servers_in(file):
        return
    setting = config.root.settings.get("resolv_conf")
    place = config.root.place if setting is None else setting.written.place
    message = f"{file} names no name server"
    remedy = "set `nameservers`, or `resolv_conf` to a file with some"
    yield diagnostic("C525", place, message, remedy)


def _monitors(config: Config) -> Iterator[Diagnostic]:
    for stanza in config.root.named("inbound_audit"):
        monitors = stanza.settings.get("monitors")
        for word in monitors.written.words if monitors is not None else ():
            if not _MONITOR.fullmatch(word.text):
                message = f"`{word.text}` is no monitor"
                yield diagnostic("C526", word.place, message, 'a monitor is like "60,10"')


def _workers(config: Config) -> Iterator[Diagnostic]:
    workers = config.root.settings.get("workers")
    if workers is not None and workers.value > 1 and not config.option("shared_state"):
        yield diagnostic(
            "C521",
            workers.written.place,
            f"{workers.value} workers would each count limits for themselves",
            "configure shared_state, or one worker",
        )


def _adaptive(config: Config) -> Iterator[Diagnostic]:
    yield from checks.problems(config.root)


def _formats(config: Config) -> Iterator[Diagnostic]:
    """Lines of custom_logger that could never be written."""
    for node in config.root.named("custom_logger"):
        for setting in node.settings.values():
            name = setting.row.key
            if name.endswith("_format") or name == "sanitize":
                try:
                    (sanitizer if name == "sanitize" else compile_format)(setting.value)
                except BadFormat as bad:
                    yield diagnostic("C528", setting.written.place, str(bad))


def _shared_state(config: Config) -> Iterator[Diagnostic]:
    url = config.root.settings.get("shared_state")
    if url is None or not url.value:
        return
    place, schemes = url.written.place, ("redis://", "rediss://", "unix://")
    if not str(url.value).startswith(schemes):
        help = "it is like redis://127.0.0.1:6379/0 or unix:///run/redis/redis.sock"
        yield diagnostic("C530", place, f"`{url.value}` is no address of a Redis or Valkey", help)
    elif find_spec("redis") is None:
        help = "pip install 'moonpost[redis]'"
        yield diagnostic("C530", place, "the Python package redis is not installed", help)


def _pools(config: Config) -> Iterator[Diagnostic]:
    for node in config.root.named("threadpool"):
        size = node.settings.get("concurrency")
        if size is not None and size.value < 0:
            message = f"{size.value} threads: a pool has none (0) or some"
            yield diagnostic("C508", size.written.place, message)


CHECKS: Final[tuple[Callable[[Config], Iterator[Diagnostic]], ...]] = (
    _scripts,
    _keys,
    _certificates,
    receiving,
    _listeners,
    _datasources,
    _references,
    _name_servers,
    _monitors,
    _workers,
    _shared_state,
    _pools,
    _adaptive,
    _formats,
)
