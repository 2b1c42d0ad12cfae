"""The commands that look after an installation: doctor, settings, version."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli.opening import AsJson, Project, Status, find_project

commands = typer.Typer()


@commands.command(epilog="Example:  pipeline doctor --json")
def doctor(
    as_json: AsJson = False,
    quick: Annotated[bool, typer.Option("--quick", help="Look, but have no model write or speak anything.")] = False,
    project: Project = None,
) -> int:
    """Check that everything can do its work: settings, folders, and each engine by having it produce something."""
    from pipeline import doctor as clinic
    from pipeline import report

    place = find_project(project)
    findings = clinic.examine(place, dict(os.environ), quick=quick)
    report.show_findings(findings, as_json=as_json, quick=quick)
    return Status.SOME_FAILED if any(finding.bad for finding in findings) else Status.DONE


@commands.command(epilog="Example:  VOICE=en_GB-alan-medium pipeline settings")
def settings(
    as_json: AsJson = False,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="Write .env.example and the generated pages of docs/reference/ anew.")
    ] = False,
    project: Project = None,
) -> int:
    """Show every setting, its value and where it comes from. Secrets are masked."""
    from pipeline import report
    from pipeline.cli import GROUPS
    from pipeline.cli.manifest_page import manifest_page
    from pipeline.cli.reference import commands_reference
    from pipeline.files import write_whole
    from pipeline.settings import load
    from pipeline.settings import write_docs as write
    from pipeline.text.manifest_schema import schema_text

    place = find_project(project)
    loaded = load(place, os.environ)
    if write_docs:
        write(place)
        reference = place / "docs" / "reference"
        write_whole(reference / "commands.md", commands_reference(GROUPS).encode())
        write_whole(reference / "manifest.md", manifest_page().encode())
        write_whole(reference / "manifest.schema.json", schema_text().encode())
    report.show_settings(loaded, as_json=as_json)
    return Status.DONE


@commands.command(epilog="Example:  pipeline version --json")
def version(as_json: AsJson = False) -> int:
    """Print the version."""
    typer.echo(json.dumps({"version": __version__}) if as_json else __version__)
    return Status.DONE
