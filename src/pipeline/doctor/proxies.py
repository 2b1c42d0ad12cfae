"""Which proxy stands on the way to an address, and which variable put it there or kept it away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.doctor.finding import Finding
from pipeline.net.session import is_near, proxies_for


@dataclass(frozen=True, slots=True)
class Way:
    """How an address is reached."""

    proxy: str
    """The proxy's address without user and password; empty where it is asked directly."""
    why: str
    """The variable that says so, or why none does."""


def way_to(url: str, environ: Mapping[str, str]) -> Way:
    """As every client goes: `net.session.proxies_for` decides, and `environ`, which it has read too, tells why."""
    scheme = urlsplit(url).scheme
    variable = _variable(scheme, environ)
    taken = proxies_for(url)
    proxy = taken.get(scheme) or taken.get("all") or ""
    if proxy:
        return Way(masked(proxy), variable or "the system's settings")
    if not variable:
        return Way("", "no proxy is set for it")
    if is_near(urlsplit(url).hostname or ""):
        return Way("", f"{variable} is not for this machine, nor for names without a dot")
    return Way("", f"NO_PROXY keeps {variable} away from it")


def proxies(environ: Mapping[str, str]) -> Finding:
    """The variables that are set, for downloads too."""
    known = ("https", "http", "all", "no")
    names = [name for scheme in known if (name := _variable(scheme, environ, alone=True))]
    if not [name for name in names if name.lower() != "no_proxy"]:
        return Finding("proxies", "ok", "none is set: everything is asked directly")
    shown = ", ".join(f"{name}={masked(environ[name])}" for name in names)
    broken = [name for name in names if name.lower() != "no_proxy" and not _usable(environ[name])]
    if broken:
        todo = f"Write {broken[0]} like http://proxy.example.com:3128."
        return Finding("proxies", "bad", f"{shown}: {' and '.join(broken)} cannot be used as an address", todo)
    return Finding("proxies", "ok", shown)


def masked(address: str) -> str:
    """A proxy's address without who may use it: this is shown, and put into reports of faults."""
    before, at, after = address.rpartition("@")
    if not at:
        return address
    scheme, separator, _ = before.partition("://")
    return f"{scheme}://***@{after}" if separator else f"***@{after}"


def _variable(scheme: str, environ: Mapping[str, str], *, alone: bool = False) -> str:
    """The variable that holds for a scheme; small letters go first (urllib.request.getproxies_environment)."""
    names = [f"{scheme}_proxy", f"{scheme}_PROXY".upper()]
    names += [] if alone else ["all_proxy", "ALL_PROXY"]
    return next((name for name in names if environ.get(name)), "")


def _usable(address: str) -> bool:
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
