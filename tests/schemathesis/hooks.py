"""What schemathesis has to know of the API that its description cannot say.

No check is turned off, and no request is held back. A refusal of a request that fits its schema is no failure only if
the request breaks one of the rules below and the answer's code is the one for it; an answer after a deletion, only if
it says of what was deleted that there is nothing, or if it has been made again.
"""

import os

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

# anybody, where there is no access control; app; user.
CALLER = os.environ["CALLER"]
PULL_MESSAGES_MAX = 100
STREAM_FOR_MS = int(os.environ["STREAM_FOR_MS"])
ID_BYTES_MAX = 128


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """A server without keys has no access control, as the description says: then no call asks for credentials."""
    if CALLER == "anybody":
        for path in raw_schema["paths"].values():
            for operation in path.values():
                operation["security"] = []


# Every `next` that was answered, with the path that it belongs to.
known_next = set()
# Conversations that were deleted, and have got nothing since.
gone = set()


@schemathesis.hook
def after_call(context, case, response):
    """Remembers what may be given as `after`, and which conversations are gone."""
    if not 200 <= response.status_code < 300:
        return
    conversation = case.path_parameters.get("conversation")
    if operation_id(case) == "ForgetConversation":
        gone.add(conversation)
    elif operation_id(case) in ("ReplaceRoster", "ChangeRoster", "Register", "RegisterBulk"):
        gone.discard(conversation)
    elif response.content and "after" in {parameter.name for parameter in case.operation.query}:
        known_next.add((case.operation.path, response.json().get("next")))


@schemathesis.hook
def map_query(context, query):
    """Leaves out an `after` that was made up: it would be refused, and with it nearly every request for a list. What is
    no text stays, to be refused, and so does what the coverage phase makes, which comes by no hook.
    """
    if query and isinstance(query.get("after"), str) and query["after"]:
        del query["after"]
    return query


def texts(value):
    """All strings in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def operation_id(case):
    """The name of a case's call."""
    return case.operation.definition.raw["operationId"]


def pairs(case):
    """The pairs of conversation and message of a query across conversations."""
    return [(pull["conversation"], message) for pull in case.body["pulls"] for message in pull["messages"]]


def id_has_too_many_bytes(case):
    """An id's length is counted in bytes of UTF-8, and a schema counts characters."""
    ids = (case.path_parameters, case.query.get("message"), case.body)
    return any(len(text.encode()) > ID_BYTES_MAX for text in texts(list(ids)))


def after_was_never_next(case):
    """`after` is opaque: only what an answer of the same list had as `next` is any good."""
    return "after" in case.query and (case.operation.path, case.query["after"]) not in known_next


def app_names_no_reader(case):
    """A user may leave `reader` out, and the schema is for both; the caller here is the app, which may not."""
    return operation_id(case) == "Mark" and "reader" not in case.body


def user_joins_and_leaves(case):
    """No schema can compare two lists: nobody may stand in both `add` and `remove`."""
    lists = operation_id(case) == "ChangeRoster" and (case.body.get("add", []), case.body.get("remove", []))
    return bool(lists) and not set(lists[0]).isdisjoint(lists[1])


def pair_is_named_twice(case):
    """Nor the lists of two entries: a pair of conversation and message stands once in a query."""
    return operation_id(case) == "Query" and len(set(pairs(case))) < len(pairs(case))


def pulls_name_too_many(case):
    """Nor add up the lengths of several lists: all entries of a query together name 100 messages at most."""
    return operation_id(case) == "Query" and len(pairs(case)) > PULL_MESSAGES_MAX


def stream_lasts_too_long(case):
    """How long a stream may last is a setting of the server."""
    return operation_id(case) == "Stream" and int(case.query.get("for_ms", 0)) > STREAM_FOR_MS


def nobody_is_asked(case):
    """Whether a conversation has a roster is no matter of the request's shape: without one an audience is needed."""
    return operation_id(case) == "Register" and "audience" not in case.body


RULES = [
    ("bad-id", id_has_too_many_bytes),
    ("bad-request", after_was_never_next),
    ("bad-request", app_names_no_reader),
    ("bad-request", user_joins_and_leaves),
    ("bad-request", pair_is_named_twice),
    ("bad-request", stream_lasts_too_long),
    ("too-many-items", pulls_name_too_many),
    ("no-audience", nobody_is_asked),
]


def says_nothing(answer):
    """Whether an answer is that of a conversation without messages."""
    receipts = answer.get("receipts", [{}])
    no_receipts = all(entry.get("code") == "unknown-message" for entry in receipts)
    return answer.get("messages") == [] or answer.get("unread") == 0 or no_receipts


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a failure is one."""
    if isinstance(failure, UseAfterFree):
        # A conversation is there again with its next roster or message, which are not made at the path that was deleted.
        # One that is gone has no members, which is 404, and no messages, which is a list of none: only its roster can
        # be unknown.
        return case.path_parameters["conversation"] in gone and not says_nothing(response.json())
    if not isinstance(failure, RejectedPositiveData):
        return True
    code = response.json()["code"]
    return not any(code == expected and broken(case) for expected, broken in RULES)
