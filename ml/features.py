"""The one list of features, for training and prediction alike."""

from __future__ import annotations

import fnmatch
import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from errors import Invalid
from ml import leaks

Records = Sequence[Mapping[str, object]]
Frame = Mapping[str, Sequence[object]]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# The column that says at which moment a row was seen; dates are counted back from it.
MOMENT = "as_of"
OTHER = "(other)"
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
MOST_LEVELS = 60
MOST_ITEMS = 12
# What looks like a number, a date … in so many of the values known counts as one.
SHARE_OF_A_KIND = 0.9


class Kind(StrEnum):
    """How a column is read."""

    NUMBER = "number"
    CATEGORY = "category"
    DATE = "date"
    TEXT = "text"
    LIST = "list"
    POINTS = "points"


class Stage(StrEnum):
    """Which of the two models: for leads nobody has spoken to yet, or for the others."""

    BEFORE_CONTACT = "before_contact"
    AFTER_CONTACT = "after_contact"


@dataclass(frozen=True)
class Known:
    """What we know of a column by its name: how to read it, what to call it, whether to use it."""

    pattern: str
    kind: Kind | None = None
    label: str = ""
    after_contact: bool = False
    unfit: str = ""


_WHO = "it says who this is, not what kind of lead"
_RESULT = "it is the outcome, or was written because of it"

# The columns that a row of ours may have; any other is a custom attribute and its kind is inferred.
KNOWN: tuple[Known, ...] = (
    # Who: never a feature
    *(
        Known(name, unfit=_WHO)
        for name in (
            *("id", "lead_id", "session_id", "visitor_id", "name", "first_name", "last_name"),
            *("email", "phone", "contact_info", "company", "assigned_to", "owner"),
        )
    ),
    # What is the outcome under another name
    *(
        Known(name, unfit=_RESULT)
        for name in (
            *("outcome", "outcome_at", "outcome_value", "deal_value", "stage", "stage_kind"),
            *("won_at", "lost_at", "closed_at", "lead_score", "classification", "lead_type"),
            *("lead_classification", "probability", "tier", "score"),
        )
    ),
    # Profile
    Known("business_type", Kind.CATEGORY, "Business type"),
    Known("location", Kind.CATEGORY, "Location"),
    Known("staff_size", Kind.CATEGORY, "Staff size"),
    Known("monthly_sales", Kind.CATEGORY, "Monthly sales"),
    Known("features_interested", Kind.LIST, "Interested in"),
    Known("has_*", Kind.CATEGORY),
    Known("email_domain_kind", Kind.CATEGORY, "Kind of e-mail address"),
    # Answers, with their times; behaviours, with counts and times
    Known("answer.*.seconds", Kind.NUMBER),
    Known("answer.*.length", Kind.NUMBER),
    Known("answer.*", None),
    Known("answers", Kind.NUMBER, "Answers given"),
    Known("answers_*", Kind.NUMBER),
    Known("behavior.*.count", Kind.NUMBER),
    Known("behavior.*.hours_since", Kind.NUMBER),
    # Where the lead came from
    Known("source", Kind.CATEGORY, "Source"),
    Known("utm_source", Kind.CATEGORY, "Source"),
    Known("utm_medium", Kind.CATEGORY, "Medium"),
    Known("utm_campaign", Kind.CATEGORY, "Campaign"),
    Known("utm_term", Kind.CATEGORY, "Search term"),
    Known("utm_content", Kind.CATEGORY, "Advertisement"),
    Known("referrer_host", Kind.CATEGORY, "Came from"),
    Known("landing_page", Kind.CATEGORY, "Landing page"),
    Known("channel", Kind.CATEGORY, "Channel"),
    Known("device", Kind.CATEGORY, "Device"),
    Known("locale", Kind.CATEGORY, "Language"),
    # Engagement
    Known("email_opens", Kind.NUMBER, "E-mails opened"),
    Known("email_clicks", Kind.NUMBER, "Clicks in e-mails"),
    Known("email_replies", Kind.NUMBER, "E-mails answered"),
    Known("website_visits", Kind.NUMBER, "Visits to the website"),
    Known("days_since_created", Kind.NUMBER, "Days since it came in"),
    Known("days_since_activity", Kind.NUMBER, "Days since the last activity"),
    # What is known only once somebody has spoken with the lead
    Known("calls", Kind.NUMBER, "Calls", after_contact=True),
    Known("meetings", Kind.NUMBER, "Meetings", after_contact=True),
    Known("call_seconds", None, "Seconds on the phone", after_contact=True),
    Known("call_*", after_contact=True),
    Known("last_call_seconds", None, "Seconds of the last call", after_contact=True),
    Known("last_call_*", after_contact=True),
    Known("activity.email", None, "E-mails written", after_contact=True),
    Known("activity.last_outcome", None, "What came of the last contact", after_contact=True),
    Known("activity.last_status", None, "Status of the last contact", after_contact=True),
    Known("activity.last_method", None, "How it was last contacted", after_contact=True),
    Known("activity.*", after_contact=True),
    # What the marketer's points say
    Known("points", Kind.POINTS, "Points"),
    Known("points.*", Kind.POINTS),
)

# Words in the name of a custom column that make a strong column suspicious earlier.
CALENDAR = frozenset({"day", "month", "weekday", "day_of_week", "day_of_month", "week", "hour"})


@dataclass(frozen=True)
class Feature:
    """Something that a person knows of a lead, and how its value is read."""

    name: str
    label: str
    kind: Kind
    levels: tuple[str, ...] = ()
    custom: bool = True
    middle: float = 0.0  # of the times in seconds; of counts it is 0


@dataclass(frozen=True)
class Column:
    """One column of the matrix: the feature it belongs to, and its levels if it is a category."""

    feature: int
    name: str
    levels: int = 0
    points: bool = False
    item: str = ""


@dataclass(frozen=True)
class Encoding:
    """What was learned of the columns: enough to turn any lead into a row of numbers."""

    features: tuple[Feature, ...]
    columns: tuple[Column, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...] = ()
    stage: Stage = Stage.BEFORE_CONTACT

    @property
    def categorical(self) -> npt.NDArray[np.bool_]:
        """Which columns of the matrix are codes of categories."""
        return np.array([column.levels > 0 for column in self.columns], dtype=bool)

    @property
    def points(self) -> npt.NDArray[np.bool_]:
        """Which columns of the matrix are points of the marketer's table."""
        return np.array([column.points for column in self.columns], dtype=bool)

    @property
    def groups(self) -> Ints:
        """The feature of each column of the matrix."""
        return np.array([column.feature for column in self.columns], dtype=np.int64)

    def matrix(self, frame: Frame, rows: int | None = None) -> Floats:
        """The leads as numbers, one row each; what is missing is NaN."""
        rows = _length(frame) if rows is None else rows
        out = np.full((rows, len(self.columns)), np.nan)
        moments = frame.get(MOMENT)
        read: dict[int, Callable[[Column], Floats]] = {}
        for index, column in enumerate(self.columns):
            feature = self.features[column.feature]
            values = frame.get(feature.name)
            if values is None:
                continue
            if column.feature not in read:
                read[column.feature] = _reader(feature, values, moments)
            out[:, index] = read[column.feature](column)
        return out

    def much(self, feature: Feature, value: object) -> bool | None:
        """Whether a value is more than usual; None where that is no question."""
        if feature.kind is Kind.NUMBER:
            number = _number(value)
            return None if math.isnan(number) else number > feature.middle
        return _word(value) == "yes" if set(feature.levels) <= {"yes", "no"} else None

    def row(self, record: Mapping[str, object]) -> Floats:
        """One lead as numbers."""
        one: Floats = self.matrix({name: (value,) for name, value in record.items()}, 1)[0]
        return one

    def plain(self) -> dict[str, Any]:
        """The encoding as plain data, for an artifact."""
        return {
            "features": [asdict(feature) for feature in self.features],
            "columns": [asdict(column) for column in self.columns],
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
            "stage": str(self.stage),
        }

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Encoding:
        """The encoding from what `plain` gave."""
        return cls(
            features=tuple(
                Feature(**{**it, "kind": Kind(it["kind"]), "levels": tuple(it["levels"])})
                for it in data["features"]
            ),
            columns=tuple(Column(**it) for it in data["columns"]),
            left_out=dict(data["left_out"]),
            notes=tuple(data["notes"]),
            stage=Stage(data["stage"]),
        )


@dataclass(frozen=True)
class Choice:
    """What may be used: the model's stage, columns kept or left out by a person, calendar or not,
    and which estimator learns.

    Months and days are left out by default: on data in the order of time they spoil the ranking.
    """

    stage: Stage = Stage.BEFORE_CONTACT
    keep: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()
    calendar: bool = False
    detect_leaks: bool = True
    kind: str = "blend"


def points_only(names: Sequence[str], stage: Stage = Stage.BEFORE_CONTACT) -> Encoding:
    """The encoding of the fallback: the columns of points among these, or the usual one."""
    entries = [(name, known(name)) for name in names]
    found = [name for name, entry in entries if entry is not None and entry.kind is Kind.POINTS]
    kept = [
        (Feature(name, label_of(name), Kind.POINTS, custom=False), [Column(-1, name, points=True)])
        for name in found or ["points"]
    ]
    return _assembled(kept, {}, [], stage)


def frame_of(records: Records) -> dict[str, list[object]]:
    """Rows of a table as columns; what a row does not have is None."""
    names = dict.fromkeys(name for record in records for name in record)
    return {name: [record.get(name) for record in records] for name in names}


def learn_encoding(frame: Frame, won: Ints, choice: Choice | None = None) -> Encoding:
    """How to read these columns, and which to leave out and why.

    Reads the outcomes only to find columns that know too much.
    """
    choice = choice or Choice()
    _check_frame(frame, len(won))
    kept: list[tuple[Feature, list[Column]]] = []
    left_out: dict[str, str] = {}
    notes: list[str] = []
    for name, values in frame.items():
        if name == MOMENT:
            continue
        reason = _unwanted(name, choice)
        found = reason or _describe(name, values, frame.get(MOMENT), notes)
        if isinstance(found, str):
            left_out[name] = found
        else:
            kept.append(found)
    encoding = _assembled(kept, left_out, notes, choice.stage)
    return _without_leaks(encoding, frame, won, choice) if choice.detect_leaks else encoding


@functools.lru_cache(maxsize=4096)
def known(name: str) -> Known | None:
    """The entry of the list for a column of this name; None for a custom attribute."""
    return next((it for it in KNOWN if fnmatch.fnmatchcase(name, it.pattern)), None)


# What is measured of an answer or a behaviour, as a person would say it.
_MEASURES = (
    (r"answer\.(.+)\.seconds", "Seconds to answer “{}”"),
    (r"answer\.(.+)\.length", "Letters typed for “{}”"),
    (r"behavior\.(.+)\.count", "How often: {}"),
    (r"behavior\.(.+)\.hours_since", "Hours since: {}"),
)


def _spoken(name: str) -> str:
    return re.sub(r"[._]+", " ", name).strip().lower()


def label_of(name: str) -> str:
    """What a person calls a column of this name."""
    entry = known(name)
    if entry is not None and entry.label:
        return entry.label
    for pattern, said in _MEASURES:
        if found := re.fullmatch(pattern, name):
            return said.format(_spoken(found[1]))
    prefix, _, rest = name.partition(".")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[._]+", " ", rest or prefix).strip() or name
    words = words.lower() if not words.isupper() else words
    spoken = {"points": "Points: {}", "has": "Has {}"}.get(prefix if rest else "", "{}")
    text = spoken.format(words)
    return text[:1].upper() + text[1:]


def _unwanted(name: str, choice: Choice) -> str:
    """Why a column is left out whatever it holds; empty where it may be used."""
    entry = known(name)
    if name in choice.drop:
        return "a person left it out"
    if name in choice.keep:
        return ""
    if entry is not None and entry.unfit:
        return entry.unfit
    if entry is not None and entry.after_contact and choice.stage is Stage.BEFORE_CONTACT:
        return "it is known only after the first contact"
    if entry is None and not choice.calendar and name.lower() in CALENDAR:
        return "a part of the calendar says when, and the next year differs"
    return ""


def _describe(
    name: str, values: Sequence[object], moments: Sequence[object] | None, notes: list[str]
) -> tuple[Feature, list[Column]] | str:
    """The feature that a column is with its columns, or the reason why it is none."""
    entry = known(name)
    present = [value for value in values if not _is_missing(value)]
    if not present:
        return "it is empty"
    kind = entry.kind if entry is not None and entry.kind is not None else _infer(present)
    feature = Feature(name, label_of(name), kind, custom=entry is None)
    if kind is Kind.DATE and moments is None:
        return f"a date says nothing without the moment of the row ({MOMENT})"
    reason = _useless(feature, values, present)
    if reason:
        return reason
    return _learned(feature, values, present, notes)


def _learned(
    feature: Feature, values: Sequence[object], present: list[object], notes: list[str]
) -> tuple[Feature, list[Column]] | str:
    if feature.kind is Kind.CATEGORY:
        levels = _frequent([_word(value) for value in present], MOST_LEVELS)
        if len(levels) < 2 and (len(present) == len(values) or not levels):
            return f"none of its {_distinct(present):,} values is frequent enough to learn from"
        return replace(feature, levels=levels), [Column(-1, feature.name, levels=len(levels))]
    if feature.kind is Kind.LIST:
        items = [item for value in present for item in set(_items(value))]
        often = [item for item in _frequent(items, MOST_ITEMS) if item != OTHER]
        columns = [Column(-1, feature.name)]
        columns += [Column(-1, f"{feature.name}: {item}", levels=2, item=item) for item in often]
        return replace(feature, levels=tuple(often)), columns
    if feature.kind in (Kind.NUMBER, Kind.POINTS):
        odd = sum(not math.isfinite(_number(value)) for value in present)
        if odd:
            notes.append(
                f"{feature.name}: {odd:,} values are no finite number; they count as missing."
            )
        if feature.name.endswith("seconds"):
            finite = [it for it in map(_number, present) if math.isfinite(it)]
            feature = replace(feature, middle=float(np.median(finite)))
    return feature, [Column(-1, feature.name, points=feature.kind is Kind.POINTS)]


def _useless(feature: Feature, values: Sequence[object], present: list[object]) -> str:
    """Why a column can teach nothing; empty where it can."""
    if feature.kind is Kind.POINTS or feature.kind is Kind.LIST:
        return ""
    distinct = _distinct(present)
    if distinct == 1 and len(present) == len(values):
        return f"it is the same in every row ({_word(present[0])[:40]})"
    if feature.kind is Kind.NUMBER:
        numbers = [number for number in map(_number, present) if math.isfinite(number)]
        if not numbers:
            return "it holds no finite number"
        if _is_numbering(feature.name, numbers):
            return "it numbers the rows: every value is another"
        if min(numbers) == max(numbers) and len(numbers) == len(values):
            return "it is the same in every row"
    if feature.kind is Kind.CATEGORY and distinct >= 20 and distinct > 0.9 * len(present):
        return f"it names the rows: {distinct:,} different values in {len(present):,} rows"
    return ""


def _is_numbering(name: str, numbers: list[float]) -> bool:
    if len(numbers) < 20 or len(set(numbers)) < len(numbers):
        return False
    whole = all(number.is_integer() for number in numbers)
    steps = {b - a for a, b in zip(numbers, numbers[1:])}
    named = re.search(r"(^|_|\b)(id|number|no|nr|key)$", name.lower()) is not None
    return whole and (named or len(steps) == 1 or max(numbers) - min(numbers) < len(numbers))


def _assembled(
    kept: Sequence[tuple[Feature, Sequence[Column]]],
    left_out: Mapping[str, str],
    notes: Sequence[str],
    stage: Stage,
) -> Encoding:
    columns = [
        replace(column, feature=number) for number, (_, its) in enumerate(kept) for column in its
    ]
    features = tuple(feature for feature, _ in kept)
    return Encoding(features, tuple(columns), dict(left_out), tuple(notes), stage)


def _without_leaks(encoding: Encoding, frame: Frame, won: Ints, choice: Choice) -> Encoding:
    """The encoding without the columns that know too much, each named with its reason."""
    suspects = leaks.find(
        encoding.matrix(frame, len(won)),
        won,
        groups=encoding.groups,
        categorical=encoding.categorical,
        names=[feature.name for feature in encoding.features],
        # Our own columns are built as of a moment; there only a near-copy is refused.
        trusted=[not feature.custom for feature in encoding.features],
    )
    out = {name: why for name, why in suspects.items() if name not in choice.keep}
    stay = [
        (feature, [it for it in encoding.columns if it.feature == number])
        for number, feature in enumerate(encoding.features)
        if feature.name not in out
    ]
    return _assembled(stay, {**encoding.left_out, **out}, encoding.notes, encoding.stage)


def _check_frame(frame: Frame, rows: int) -> None:
    lengths = {len(values) for values in frame.values()}
    if lengths - {rows}:
        raise Invalid(
            f"Every column needs one value for each of the {rows:,} outcomes; "
            f"there are columns with {', '.join(f'{it:,}' for it in sorted(lengths - {rows}))}."
        )


def _length(frame: Frame) -> int:
    return max((len(values) for values in frame.values()), default=0)


def _infer(present: Sequence[object]) -> Kind:
    """The kind of a custom column, from its values."""
    if any(isinstance(value, (list, tuple, set, frozenset)) for value in present):
        return Kind.LIST
    known_values = present if len(present) <= 5000 else present[:: len(present) // 5000]
    share = SHARE_OF_A_KIND * len(known_values)
    if sum(isinstance(value, bool) for value in known_values) >= share:
        return Kind.CATEGORY
    if sum(not math.isnan(_number(value)) for value in known_values) >= share:
        return Kind.NUMBER
    if sum(_day(value) is not None for value in known_values) >= share:
        return Kind.DATE
    words = [_word(value) for value in known_values]
    long = sum(map(len, words)) / len(words)
    return Kind.TEXT if long > 30 and len(set(words)) > len(words) / 2 else Kind.CATEGORY


def _frequent(words: Sequence[str], most: int) -> tuple[str, ...]:
    """The values to learn from, the most frequent first; the rare ones pooled as one at the end."""
    enough = max(3, len(words) // 500)
    counts = Counter(words)
    ordered = sorted(counts.items(), key=lambda it: (-it[1], it[0]))
    often = [word for word, count in ordered if count >= enough][:most]
    pooled = len(words) - sum(counts[word] for word in often)
    return (*often, OTHER) if pooled >= enough else tuple(often)


def _reader(
    feature: Feature, values: Sequence[object], moments: Sequence[object] | None
) -> Callable[[Column], Floats]:
    """What gives the numbers of a column of this feature."""
    if feature.kind is Kind.CATEGORY:
        return lambda _: _codes(feature.levels, values)
    if feature.kind is Kind.LIST:
        lists = [None if _is_missing(value) else set(_items(value)) for value in values]
        return lambda column: _list_column(column, lists)
    if feature.kind is Kind.DATE:
        days = _days_before(values, moments or [None] * len(values))
        return lambda _: days
    if feature.kind is Kind.TEXT:
        lengths = [math.nan if _is_missing(value) else float(len(str(value))) for value in values]
        return lambda _: np.array(lengths)
    numbers = _numbers(values)
    return lambda _: numbers


def _codes(levels: Sequence[str], values: Sequence[object]) -> Floats:
    """The number of each value's level; a value never seen is one of the pooled, else missing."""
    code = {level: float(number) for number, level in enumerate(levels)}
    other = code.get(OTHER, math.nan)
    if len(values) > 1 and set(map(type, values)) == {str}:
        texts = {it: _code(it, code, other) for it in set(values)}
        return np.array([texts[it] for it in values])
    return np.array([_code(value, code, other) for value in values])


def _code(value: object, code: Mapping[str, float], other: float) -> float:
    return math.nan if _is_missing(value) else code.get(_word(value), other)


def _list_column(column: Column, lists: Sequence[set[str] | None]) -> Floats:
    if not column.item:
        return np.array([math.nan if it is None else float(len(it)) for it in lists])
    return np.array([math.nan if it is None else float(column.item in it) for it in lists])


def _days_before(values: Sequence[object], moments: Sequence[object]) -> Floats:
    """How many days each date lies before its row's moment."""
    pairs = ((_day(value), _day(moment)) for value, moment in zip(values, moments))
    return np.array([math.nan if a is None or b is None else float((b - a).days) for a, b in pairs])


def _numbers(values: Sequence[object]) -> Floats:
    try:
        # Numbers, texts of numbers and None all at once; anything odd is read one by one.
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.empty(0)
    if numbers.shape != (len(values),):
        numbers = np.array([_number(value) for value in values])
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _number(value: object) -> float:
    """The value as a number; NaN where it is none."""
    if isinstance(value, (datetime, date)) or value is None:
        return math.nan
    try:
        return float(cast(float, value))
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.match(r"\d{4}-\d{2}-\d{2}($|[T ])", value):
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        return None


def _word(value: object) -> str:
    """The value as a level of a category."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _items(value: object) -> list[str]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_word(item) for item in value]
    return [part.strip() for part in str(value).split(",") if part.strip()]


def _is_missing(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def _distinct(present: Sequence[object]) -> int:
    return len({_word(value) for value in present})
