"""The rules that give a session its channel: the TOML as data, with its errors in words, and which of them holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from attribution_assets.errors import AttributionError, NotFoundError
from attribution_assets.importing.mapping import check_keys, read_toml, table_in

SHIPPED = Path(__file__).with_name("channels.toml")
"""The rules that come along."""

UNASSIGNED = "Unassigned"
"""The channel of a session for which no rule holds."""

DIRECT = ("(direct)", "(none)")
"""Source and medium of a visit that nothing led to."""

CONDITIONS = ("source", "medium", "campaign", "referrer", "click_id", "site")


class Tracked(NamedTuple):
    """What is tracked of how a visit began, empty where nothing is: the referrer's host, and the kind of the click id."""

    source: str
    medium: str
    campaign: str
    referrer: str
    click_id: str

    def __str__(self) -> str:
        """As people write it: google / cpc / brand."""
        alone = f", {self.click_id}" if self.click_id and not (self.source or self.medium) else ""
        return " / ".join(part or "(none)" for part in self[:3]) + alone


def as_tracked(source: str, medium: str, campaign: str, referrer: str, click_id: str) -> Tracked:
    """What counts of the columns of a session: of an address the host, of a click id the kind."""
    host = (referrer.partition("://")[2] or referrer).partition("/")[0].partition("?")[0].rpartition("@")[2].partition(":")[0]
    kind = click_id.partition("=")[0]
    return Tracked(
        source.strip(), medium.strip(), campaign.strip(), host.strip().lower().removeprefix("www."), kind.strip().lower()
    )


@dataclass(frozen=True)
class Rule:
    """A channel, and the pattern that each part of what is tracked must fit for it."""

    channel: str
    conditions: Mapping[str, re.Pattern[str]]

    def holds(self, tracked: Tracked) -> bool:
        """Whether all conditions do."""
        return all(pattern.fullmatch(getattr(tracked, part)) for part, pattern in self.conditions.items())


@dataclass(frozen=True)
class ChannelRules:
    """Rules in their order. `click_ids`: by kind of click id, the source and medium that it says."""

    rules: tuple[Rule, ...]
    click_ids: Mapping[str, tuple[str, str]]

    @cached_property
    def asks_for_referrer(self) -> bool:
        """Whether a rule has a condition on the referrer."""
        return any("referrer" in rule.conditions for rule in self.rules)

    def completed(self, tracked: Tracked) -> Tracked:
        """With the source and medium that follow where a visit has none: from its click id, its referrer, or nothing.

        Without the referrer, of which there are many, where no rule asks for it.
        """
        source, medium, _, referrer, click_id = tracked
        is_direct = source.lower() in {"", DIRECT[0]} and medium.lower() in {"", DIRECT[1], "(not set)"}
        of_click = self.click_ids.get(click_id)
        if of_click and (is_direct or (source.lower(), medium.lower()) == (of_click[0], "organic")):
            source, medium = of_click
        elif referrer and not (source or medium):
            source, medium = referrer, "referral"
        elif is_direct and (source or medium or not click_id):
            source, medium = DIRECT
        return tracked._replace(source=source, medium=medium, referrer=referrer if self.asks_for_referrer else "")

    def number_for(self, completed: Tracked) -> int | None:
        """The number of the first rule that holds, from 0; None where none does."""
        return next((number for number, rule in enumerate(self.rules) if rule.holds(completed)), None)

    def channel_of(self, number: int | None) -> str:
        """The channel of the rule of this number."""
        return UNASSIGNED if number is None else self.rules[number].channel


def read_rules(file: Path) -> ChannelRules:
    """The rules in a TOML file. Raises NotFoundError where there is none, and AttributionError for what they cannot mean."""
    if not file.is_file():
        raise NotFoundError(f"There is no file {file}. `attribution channels rules` prints rules to begin with.")
    told = read_toml(file)
    check_keys(file, "", told, ("rule", "click_ids", "sites"), "rules for channels")
    click_ids, sites = (table_in(file, told, name) for name in ("click_ids", "sites"))
    rules = told.get("rule", [])
    if not isinstance(rules, list) or not rules:
        raise AttributionError(f"{file}: there is no rule. Write [[rule]], and below it a channel and its conditions.")
    patterns = {name: _sites(file, name, of_list) for name, of_list in sites.items()}
    return ChannelRules(
        rules=tuple(_rule(f"{file}, rule {number}", rule, patterns) for number, rule in enumerate(rules, 1)),
        click_ids={kind.lower(): _source_and_medium(file, kind, said) for kind, said in click_ids.items()},
    )


def _rule(said_in: str, told: Any, sites: Mapping[str, str]) -> Rule:
    if not isinstance(told, dict):
        raise AttributionError(f"{said_in}: it is {told!r}. Write [[rule]], and below it a channel and its conditions.")
    check_keys(said_in, "", told, ("channel", *CONDITIONS), "a rule")
    channel = told.get("channel")
    if not isinstance(channel, str) or not channel.strip():
        raise AttributionError(f'{said_in}: it names no channel. Write channel = "NAME".')
    conditions: dict[str, list[str]] = {}
    for name, condition in told.items():
        if name == "site":
            conditions.setdefault("source", []).append(_one_of(_sites_of(said_in, condition, sites)))
        elif name != "channel":
            conditions.setdefault(name, []).append(_one_of(_patterns(said_in, name, condition)))
    if not conditions:
        raise AttributionError(f"{said_in}: it has no condition. Write at least one of {', '.join(CONDITIONS)}.")
    return Rule(channel, {name: _compiled(said_in, name, parts) for name, parts in conditions.items()})


def _patterns(said_in: str, name: str, told: Any) -> list[str]:
    patterns = [told] if isinstance(told, str) else told
    if not isinstance(patterns, list) or not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise AttributionError(f"{said_in}: {name} is {told!r}. It is a pattern such as 'cpc|ppc', or a list of patterns.")
    for pattern in patterns:
        _compiled(said_in, name, [pattern])
    return patterns


def _compiled(said_in: str, name: str, patterns: list[str]) -> re.Pattern[str]:
    """A pattern for values that all of these fit."""
    *others, last = patterns
    try:
        return re.compile("".join(f"(?=(?:{other})\\Z)" for other in others) + last, re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise AttributionError(
            f"{said_in}: {name} has the pattern {last!r}, which is no regular expression: {error.msg}. "
            r"Put a \ before a character that is meant as such."
        ) from error


def _one_of(patterns: list[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


def _sites_of(said_in: str, told: Any, sites: Mapping[str, str]) -> list[str]:
    """The patterns of the lists that a condition names."""
    named = _patterns(said_in, "site", told)
    for name in named:
        check_keys(said_in, "sites.", {name}, sites, "these rules")
    return [sites[name] for name in named]


def _sites(file: Path, name: str, told: Any) -> str:
    """A pattern for the sources and hosts that are of these sites."""
    if not isinstance(told, list) or not told or not all(isinstance(site, str) and site.strip() for site in told):
        raise AttributionError(
            f'{file}: sites.{name} is {told!r}. It is a list of names and hosts, such as ["google", "t.co"].'
        )
    return _one_of([*_hosts(told)])


def _hosts(sites: list[str]) -> Iterator[str]:
    for site in sites:
        yield rf"(?:.+\.)?{re.escape(site)}" if "." in site else rf"(?:www\.)?{re.escape(site)}(?:\..+)?"


def _source_and_medium(file: Path, kind: str, told: Any) -> tuple[str, str]:
    match told:
        case {"source": str(source), "medium": str(medium)} if len(told) == 2:
            return source.lower(), medium
    raise AttributionError(f'{file}: click_ids.{kind} is {told!r}. Write {{ source = "google", medium = "cpc" }}.')
