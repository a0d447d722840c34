"""Compare what compiled classes use with what Android has at a level of its API."""

import functools
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.android import run
from tests.helpers.heavy import tool

_DECLARATION = re.compile(r"(\t*)(?:declare|export) (?:abstract )?(module|class) (\w+)(.*)")
_MEMBER = re.compile(r"\t+public (?:static )?(?:abstract )?(\w+)(\(?)(.*)")
_REFERENCE = re.compile(r'// (?:Field|Method|InterfaceMethod) (java|android)/([\w/$]+)\.("?[\w<>$]+"?):(\S+)')
_TYPE = re.compile(r"\[*(?:L[^;]+;|[A-Z])")
_GUARD = "// Field android/os/Build$VERSION.SDK_INT:I"


@dataclass
class _Class:
    members: set[str] = field(default_factory=set)
    parents: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class NewerMembers:
    """Members newer than a level of the API, by whether the method that uses one compares SDK_INT before."""

    guarded: set[str]
    unguarded: set[str]


@functools.cache
def _classes(level: int) -> dict[str, _Class]:
    """Android's public classes by name, from declarations for NativeScript, which are generated from android.jar."""
    text = (tool("tns-platform-declarations") / "android" / f"android-platform-{level}.d.ts").read_text()
    classes: dict[str, _Class] = {}
    path: list[str] = []
    for line in text.splitlines():
        if found := _DECLARATION.match(line):
            depth = len(found[1])
            path[depth:] = [found[3]]
            if found[2] == "class":
                current = classes.setdefault(".".join(path), _Class())
                current.parents += re.findall(r"(?:java|android)\.[\w.]+", found[4])
        elif path and (found := _MEMBER.match(line)):
            name = found[1]
            current.members.add(f"{name}/{len(re.findall(r'param[0-9]+:', found[3]))}" if found[2] else name)
    return classes


def _has(level: int, owner: str, member: str) -> bool:
    found = _classes(level).get(owner)
    if found is None:
        return False
    return member in found.members or any(_has(level, parent, member) for parent in found.parents)


def newer_members(classes: Path, package: str, level: int, newest: int) -> NewerMembers:
    """Return what the classes of a package in a jar use of Java and Android that `level` lacks, and `newest` has.

    Raises:
        AssertionError: They use something that `newest` lacks, too.
    """
    with zipfile.ZipFile(classes) as jar:
        names = [name.removesuffix(".class") for name in jar.namelist() if name.startswith(package)]
    code = run(tool("javap"), "-c", "-p", "-cp", classes, *(name for name in names if "." not in name))
    result = NewerMembers(set(), set())
    for method in code.split("\n    Code:\n")[1:]:
        guard = method.find(_GUARD)
        for found in _REFERENCE.finditer(method):
            owner = f"{found[1]}.{found[2]}".replace("/", ".").replace("$", ".")
            member = _named(found[3].strip('"'), found[4])
            if _has(level, owner, member):
                continue
            assert _has(newest, owner, member), f"{owner}.{member} is not in the API at level {newest}"
            is_guarded = -1 < guard < found.start()
            (result.guarded if is_guarded else result.unguarded).add(f"{owner}.{member.partition('/')[0]}")
    return result


def _named(name: str, descriptor: str) -> str:
    """Return a member as the declarations name it: a method with the number of its parameters."""
    if not descriptor.startswith("("):
        return name
    count = len(_TYPE.findall(descriptor[1 : descriptor.index(")")]))
    return f"{'constructor' if name == '<init>' else name}/{count}"
