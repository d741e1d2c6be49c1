"""What people install: a wheel and a source archive that are complete, work alone, and own their names."""

from __future__ import annotations

import json
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"lua2py": "transpiler", "msys": "runtime", "moonpost": "server"}
DATA = (".tsv", ".toml", ".lark", "py.typed")


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=110, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder)
    return next(folder.glob("moonpost-*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source archive, so that it holds what it needs; nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", sdist, "--no-deps", "--no-index", "--no-build-isolation", "-w", folder)
    return next(folder.glob("moonpost-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment of its own; libraries are those of the environment that runs the tests."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    purelib = next(folder.glob("lib/python*/site-packages"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    python = folder / "bin" / "python"
    run(*pip, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    # A path file adds folders without reading the path files in them: our editable install stays out.
    (purelib / "libraries.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return folder / "bin"


def data_files() -> set[str]:
    """Data of the three packages, as paths in a wheel."""
    return {
        str(path.relative_to(ROOT / root))
        for package, root in PACKAGES.items()
        for path in (ROOT / root / package).rglob("*")
        if path.name.endswith(DATA)
    }


def test_the_wheel_has_the_three_packages_with_their_data_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert data_files() <= names
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    modules = {
        str(path.relative_to(ROOT / root))
        for package, root in PACKAGES.items()
        for path in (ROOT / root / package).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_source_archive_has_what_a_reader_needs(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in ("README.md", "LICENSE", "Makefile", "constraints.txt", "demo/run.py"):
        assert wanted in names
    assert {"samples/dnsbl/policy.lua", "docs/architecture.md", "tests/test_packaging.py"} <= names
    assert not [name for name in names if name.startswith("samples/var")]


def test_the_installed_command_runs_away_from_the_source(installed: Path, tmp_path: Path) -> None:
    assert "serve" in run(installed / "moonpost", "--help", cwd=tmp_path)
    program = tmp_path / "hello.lua"
    program.write_text('print(("%d!"):format(6 * 7))\n', encoding="utf-8")
    assert run(installed / "moonpost", "lua", program, cwd=tmp_path) == "42!\n"
    script = ROOT / "samples" / "dnsbl" / "policy.lua"
    assert run(installed / "moonpost", "compile", "--stdout", script, cwd=tmp_path) == run(
        sys.executable, "-m", "moonpost", "compile", "--stdout", script, cwd=tmp_path
    )
    where = "import json, lua2py, msys, moonpost as m; print(json.dumps([x.__file__ for x in (lua2py, msys, m)]))"
    for file in json.loads(run(installed / "python", "-c", where, cwd=tmp_path)):
        assert file.startswith(str(installed.parent)), file


def test_the_installed_server_checks_a_configuration(installed: Path, tmp_path: Path) -> None:
    config = tmp_path / "ecelerity.conf"
    config.write_text('spoolbase = "var/spool"\nESMTP_Listener { Listen "127.0.0.1:0" {} }\n')
    assert "rror" not in run(installed / "moonpost", "check", config, cwd=tmp_path)


def test_nobody_else_owns_our_names() -> None:
    owners = packages_distributions()
    for package in PACKAGES:
        assert set(owners.get(package, ["moonpost"])) == {"moonpost"}, package


@pytest.mark.parametrize(("package", "root"), PACKAGES.items())
def test_a_source_root_holds_one_package(package: str, root: str) -> None:
    found = {path.parent.name for path in (ROOT / root).glob("*/__init__.py")}
    assert found == {package}
