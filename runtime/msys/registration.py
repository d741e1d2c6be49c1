"""`msys.registerModule`, `registerControl`, `registerAuth`: what a script offers to the server.

They write into the environment of their generation; nothing takes effect before the generation becomes
current. The server reads them from there.
"""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, check_function, check_string, check_table
from msys.catalog.binding import documented
from msys.lua import Table, environment
from msys.lua.environment import BUILT_IN, Registration

__all__ = ["registerAuth", "registerControl", "registerModule"]


@documented(
    "msys.registerModule",
    assumed="the name need not be the script stanza's (a warning when it differs); the same name again "
    "replaces",
)
def registerModule(name: str, functable: Table) -> None:
    """Offer the callouts and hooks in `functable`; called at the end of the file.

    name: the name of the script stanza. The same name again replaces the earlier table, in its place. A
    table without any known callout is logged when the generation is prepared. The name of a configured module
    that judges by itself (`dkim_validate`, …) raises.
    Source: lua.ref.msys.registerModule.
    """
    module = check_string("registerModule", 1, name)
    table = check_table("registerModule", 2, functable)
    here = environment()
    offered = Registration(module, table, here.script)
    for number, known in enumerate(here.registrations):
        if known.name == module and known.script == BUILT_IN:
            problem = f"'{module}' is a module of the configuration; choose another name"
            raise bad_argument("registerModule", 1, problem)
        if known.name == module:
            here.registrations[number] = offered
            return
    here.registrations.append(offered)


@documented(
    "msys.registerControl", assumed="file scope, init and rsrc_setup alike; the last one wins"
)
def registerControl(prefix: str, closure: Any) -> None:
    """Offer a console command: `closure(cc)` runs when the first word is `prefix`; `print` answers.

    cc.argc counts the command's name; cc.argv starts at 0. The same prefix again replaces.
    Source: lua.ref.msys.registerControl.
    """
    word = check_string("registerControl", 1, prefix)
    if not word or word.split() != [word]:
        raise bad_argument("registerControl", 1, "one word expected")
    environment().commands[word] = check_function("registerControl", 2, closure)


@documented(
    "msys.registerAuth",
    assumed="an error inside a method counts as EC_AUTH_ERROR; CRAM-MD5 asks a method of ours, clearPassword",
)
def registerAuth(schemename: str, authtable: Table) -> None:
    """Offer an authentication scheme, used as `uri = "schemename://…"` of a listener.

    authtable: `authenticate(self, filename, params, username, password)` for PLAIN and LOGIN,
    `clearPassword(self, filename, params, username)` for CRAM-MD5: the password on file, nil for nobody;
    `enumGroups(self, username)`, `queryGroups(self)`; each optional. The same name again replaces.
    Source: lua.ref.msys.registerAuth.
    """
    scheme = check_string("registerAuth", 1, schemename)
    environment().auth_schemes[scheme] = check_table("registerAuth", 2, authtable)
