"""What a simulation runs: a configuration, or scripts and folders that are named on the command line.

Reads files; starts nothing. Beside a script its folder may hold what the script asks for: `*.zone` files answer DNS,
`NAME.sql` fills the datasource NAME, `session.txt` says what the client does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from moonpost.app.listeners import SCOPE, session_options
from moonpost.config.diagnostics import ConfigurationError, is_error
from moonpost.config.model import Config, examine, load
from moonpost.phases.options import SessionOptions
from moonpost.policy.loader import ScriptStanza
from moonpost.policy.search import candidates
from moonpost.sim.zone import Records, of_files, of_options

CONFIGURATION = "ecelerity.conf"
POLICY = "policy.lua"
PYTHON_POLICY = "policy.py"  # written by hand: there is no Lua beside it
STORY = "session.txt"
HOSTNAME = "mx.sim.test"
# What holds where no configuration says otherwise.
BARE = f'hostname = "{HOSTNAME}"\n'
Engines = Mapping[str, Mapping[str, Any]]


class Unusable(Exception):
    """Arguments that no simulation can be made of."""


@dataclass(slots=True)
class Setup:
    """Everything a simulation needs to begin."""

    config: Config
    scripts: list[ScriptStanza]
    folders: list[Path]  # of the scripts, in their order
    bare: bool  # scripts without a configuration
    listener: str = ""
    records: Records = field(default_factory=dict)
    sql: dict[str, list[Path]] = field(default_factory=dict)  # datasource -> files that fill it

    @property
    def roots(self) -> tuple[Path, ...]:
        return tuple(Path(folder) for folder in self.config.script_folders)

    def options_for(self, peer: str) -> SessionOptions:
        """The options of one client's session. Without a configuration anybody may relay."""
        options = session_options(self.config, self.listener, peer, tls=False)
        return replace(options, open_relay=True) if self.bare else options

    def datasources(self) -> dict[str, list[str]]:
        """Name to URIs, relative SQLite paths made absolute."""
        stanzas = self.config.modules("datasource")
        if not stanzas:
            return {}
        from moonpost.app.ports import absolute_uri  # half a second of libraries: only when asked

        folder = self.config.folder
        return {
            stanza["instance"]: [absolute_uri(uri, folder) for uri in stanza["uri"] or ()]
            for stanza in stanzas
        }

    def engines(self) -> tuple[Engines, Engines]:
        """Options of virus engines and of anti-spam modules, by name."""
        if not self.config.modules("scanner"):
            return {}, {}
        from moonpost.app.engines import engines  # loads every client: only when one is configured

        found = engines(self.config)
        return found.virus, found.modules

    def story(self) -> Path | None:
        """The only script's session script, if there is one."""
        path = self.folders[0] / STORY if len(self.scripts) == 1 else None
        return path if path is not None and path.is_file() else None


def set_up(
    targets: Sequence[Path],
    *,
    dns: Sequence[str] = (),
    zones: Sequence[Path] = (),
    sql: Sequence[str] = (),
    listener: str = "",
) -> Setup:
    """The setup of TARGETS. Raises Unusable, ConfigurationError, or BadRecord."""
    paths = [_file(target) for target in targets]
    configurations = [path for path in paths if path.suffix not in (".lua", ".py")]
    if configurations and len(paths) > 1:
        raise Unusable(
            f"{configurations[0]}: one configuration, or any number of scripts; not several of both"
        )
    setup = _of_configuration(paths[0]) if configurations else _of_scripts(paths)
    setup.listener = _listener(setup.config, listener)
    beside = [path for folder in setup.folders for path in sorted(folder.glob("*.zone"))]
    setup.records = {**of_files(beside), **of_files(zones), **of_options(dns)}
    for folder in setup.folders:
        for path in sorted(folder.glob("*.sql")):
            setup.sql.setdefault(path.stem, []).append(path)
    for option in sql:
        name, equals, file = option.partition("=")
        if not equals or not Path(file).is_file():
            raise Unusable(f"--sql {option}: expected NAME=FILE, and the file must exist")
        setup.sql.setdefault(name, []).append(Path(file))
    return setup


def _file(target: Path) -> Path:
    """The script or configuration that a path means."""
    path = Path(os.path.abspath(target))
    if not path.exists():
        raise Unusable(f"{target}: no such file or folder")
    if not path.is_dir():
        return path
    for name in (POLICY, PYTHON_POLICY, CONFIGURATION):
        if (path / name).is_file():
            return path / name
    raise Unusable(f"{target}: the folder has neither {POLICY} nor {CONFIGURATION}; name a file")


def _of_configuration(path: Path) -> Setup:
    config = load(str(path))
    scripts = [ScriptStanza(script.name, script.source) for script in config.scripts()]
    roots = [Path(folder) for folder in config.script_folders]
    files = [next((p for p in candidates(s.source, roots) if p.is_file()), None) for s in scripts]
    folders = dict.fromkeys(file.parent for file in files if file is not None)
    return Setup(config, scripts, list(folders), bare=False)


def _of_scripts(paths: Sequence[Path]) -> Setup:
    """Scripts are seen as FOLDER/NAME, from the folder above theirs: as a configuration there would name them."""
    folders = list(dict.fromkeys(path.parent for path in paths))
    roots = list(dict.fromkeys([*(folder.parent for folder in folders), *folders]))
    config, problems = examine(
        str(roots[0] / CONFIGURATION), [str(root) for root in roots[1:]], BARE
    )
    if any(map(is_error, problems)):
        raise ConfigurationError(problems)
    names = [ScriptStanza("", f"{path.parent.name}/{path.stem}") for path in paths]
    return Setup(config, names, folders, bare=True)


def _listener(config: Config, wanted: str) -> str:
    """The name of the listener a session comes in on: the first, or the one that was asked for."""
    names = [
        listen.instance or ""
        for listener in config.root.named(SCOPE.lower())
        for listen in listener.named("listen")
    ]
    if wanted and wanted not in names:
        raise Unusable(f"--listener {wanted}: the configuration has {', '.join(names) or 'none'}")
    return wanted or (names[0] if names else "")
