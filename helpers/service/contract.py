"""What a request must look like, made from a model's card, and one clear error for each field that does not."""

from __future__ import annotations

import json
from typing import Annotated, Any

from helpers.errors import CourseError

MOST = 64  # applications in a batch
LONGEST = 65_536  # bytes of a body
ID = r"^[A-Za-z0-9_-]{8,64}$"


class Refused(CourseError):
    """A request that is not decided: the HTTP status, and errors of field, came, allowed, todo."""

    def __init__(self, status: int, errors: list[dict[str, str]]) -> None:
        """`errors`: one for each bad field."""
        super().__init__("; ".join(f"{e['field']}: {e['came']} came, {e['allowed']}; {e['todo']}" for e in errors))
        self.status, self.errors = status, errors


def refused(status: int, field: str, came: str, allowed: str, todo: str) -> Refused:
    """A refusal for one reason."""
    return Refused(status, [{"field": field, "came": came, "allowed": allowed, "todo": todo}])


def shown(value: Any) -> str:
    """A value as an error repeats it: at most 40 characters."""
    try:
        text = json.dumps(value, ensure_ascii=True, default=str)
    except RecursionError:
        text = "deep nesting"
    return text if len(text) <= 40 else text[:37] + "..."


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice in an object")
    if not all(name.isprintable() for name, _ in pairs):
        raise ValueError("a name holds what cannot be printed")
    return dict(pairs)


def parse(body: bytes) -> Any:
    """JSON to objects; NaN, Infinity, doubled names and what is no JSON are refused."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_doubles)
    except UnicodeDecodeError:
        raise refused(400, "body", "bytes that are no UTF-8", "JSON in UTF-8", "encode the body as UTF-8") from None
    except RecursionError:
        raise refused(400, "body", "deep nesting", "one object", "send the application itself") from None
    except ValueError as error:
        why = str(error).partition(": line")[0][:60]
        raise refused(
            400, "body", f"no valid JSON ({why})", "one JSON object", "correct it; numbers are finite"
        ) from None


class Contract:
    """Checks applications against a card."""

    def __init__(self, card: dict) -> None:
        """Build the pydantic model that the card's fields describe."""
        from pydantic import ConfigDict, Field, create_model

        self.version = card["version"]
        self.fields = {field["name"]: field for field in card["fields"]}
        parts: dict[str, Any] = {"id": (Annotated[str, Field(pattern=ID)], ...), "version": (str, self.version)}
        for name, field in self.fields.items():
            kind = int if field["whole"] else float
            parts[name] = (Annotated[kind, Field(ge=field["low"], le=field["high"])], ...)
        strict = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
        self._form = create_model("Application", __config__=strict, **parts)

    def allowed(self, name: str) -> str:
        """What may come in a field, in words."""
        if name == "id":
            return "8 to 64 letters, digits, _ or -"
        if name == "version":
            return f"{self.version}, or nothing"
        if name not in self.fields:
            return "no such field: " + ", ".join(["id", *self.fields])
        field = self.fields[name]
        kind = "a whole number" if field["whole"] else "a number"
        return f"{kind} from {field['low']:,} to {field['high']:,} ({field['unit']})"

    def check(self, sent: Any) -> list[dict[str, Any]]:
        """The applications of a body: an object, or {"batch": [objects]}. Raises Refused, with all bad fields."""
        single = not (isinstance(sent, dict) and set(sent) == {"batch"})
        batch = [sent] if single else sent["batch"]
        if not isinstance(batch, list) or not 1 <= len(batch) <= MOST:
            came = f"{len(batch)} applications" if isinstance(batch, list) else shown(batch)
            raise refused(422, "batch", came, f"a list of 1 to {MOST} applications", "split it")
        errors, good = [], []
        for place, one in enumerate(batch):
            found = self._errors(one)
            errors += found if single else [{**e, "field": f"batch[{place}].{e['field']}"} for e in found]
            good.append(one)
        if errors:
            raise Refused(409 if {e["field"].split(".")[-1] for e in errors} == {"version"} else 422, errors)
        ids = [one["id"] for one in good]
        if twice := [place for place, name in enumerate(ids) if name in ids[:place]]:
            todo = "give each application its own id"
            raise refused(422, f"batch[{twice[0]}].id", f"{ids[twice[0]]} again", "an id of its own for each", todo)
        return [{name: one[name] for name in ("id", *self.fields)} for one in good]

    def _errors(self, one: Any) -> list[dict[str, str]]:
        from pydantic import ValidationError

        if not isinstance(one, dict):
            return [{"field": "body", "came": shown(one), "allowed": "a JSON object", "todo": "send one application"}]
        errors: dict[str, dict[str, str]] = {}
        try:
            self._form.model_validate(one)
        except ValidationError as error:
            for e in error.errors(include_url=False, include_context=False):
                name, missing = str(e["loc"][0])[:40], e["type"] == "missing"
                came = "nothing" if missing else shown(e["input"])
                errors.setdefault(name, self._error(name, came, e["type"]))
        if one.get("version", self.version) != self.version and isinstance(one["version"], str):
            errors["version"] = self._error("version", shown(one["version"]), "version")
        return list(errors.values())

    def _error(self, name: str, came: str, kind: str) -> dict[str, str]:
        if name == "version":
            todo = "read /card, then send the request again with that version"
        elif kind == "extra_forbidden":
            todo = "leave it out: what is not needed is not stored"
        elif kind in ("greater_than_equal", "less_than_equal"):
            todo = f"check the unit: {self.fields[name]['unit']}"
        elif kind == "missing":
            todo = "send it"
        elif kind == "string_pattern_mismatch":
            todo = "choose another id"
        else:
            wanted = "text" if name == "id" else "a whole number" if self.fields[name]["whole"] else "a finite number"
            todo = f"send it as {wanted}" + ("" if name == "id" else ", without quotes")
        return {"field": name, "came": came, "allowed": self.allowed(name), "todo": todo}
