"""One request to the members of an ensemble: FanOut calls them at the same time and reduces what they answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from ..errors import MemberFailedError, MemberLateError, NoMemberError, RequestError, ServeError
from ..models.predictor import Array, Arrays
from . import plan as words
from .member_calls import LATE, OVERLOADED, CallContext, MemberCall, MemberError
from .member_client import MemberClient
from .plan import Member, Plan
from .reducers import PROBABILITIES, confident, stacked
from .reduction import MemberMisfitError, Reduction

_MISFIT = "bad_response"
_REFUSED = "refused"  # an optional member did not accept inputs that others accept


@dataclass
class Reduced:
    """The answer of an ensemble: its outputs, the optional members without an answer, and all calls of members."""

    outputs: Arrays = field(default_factory=dict)
    missing: List[str] = field(default_factory=list)
    calls: List[MemberCall] = field(default_factory=list)


class FanOut:
    """Calls the members that a request needs. What is not needed any more is cancelled at once."""

    def __init__(self, plan: Plan, clients: Mapping[str, MemberClient], reduction: Reduction) -> None:
        self._plan = plan
        self._clients = clients
        self._reduction = reduction
        self.cascades = plan.reducer == words.CASCADE

    async def run(self, method: str, inputs: Arrays, rows: int, context: CallContext) -> Reduced:
        """The ensemble's outputs for the method.

        Raises MemberFailedError, MemberLateError, NoMemberError; RequestError when a member refuses the inputs.
        """
        if self._plan.reducer == words.CASCADE:
            return await self._cascade(method, inputs, rows, context)
        members = [member for member in self._plan.members if member.name != self._plan.meta]
        found = Reduced()
        outputs = await self._ask(members, inputs, rows, context, found)
        if self._plan.reducer == words.STACK:
            found.outputs = await self._meta(method, stacked(outputs), rows, context, found)
            return found
        found.outputs = self._reduce(outputs, method, found)
        return found

    def _reduce(self, outputs: Dict[str, Arrays], method: str, found: Reduced) -> Arrays:
        """Reduce; an optional member whose output does not fit those of the others is left out."""
        while True:
            if not outputs:
                raise NoMemberError("no member of the ensemble has an answer that can be used")
            try:
                return self._reduction.reduce(outputs, method)
            except MemberMisfitError as error:
                member = self._member(error.member)
                problem = MemberError(_MISFIT, error.reason)
                if member.required:
                    raise failure(member, problem) from error
                del outputs[error.member]
                found.missing.append(error.member)
                for call in found.calls:
                    if call.member == error.member:
                        call.error = problem

    def late(self, context: CallContext) -> Optional[ServeError]:
        """The error of a request whose deadline has passed: it names a member that is awaited, a required one if there is."""
        awaited = [member for member in self._plan.members if member.name in context.awaited]
        if not awaited:
            return None
        member = next((one for one in awaited if one.required), awaited[0])
        return failure(member, MemberError(LATE, "it did not answer before the deadline of the request"))

    async def _ask(
        self, members: Sequence[Member], inputs: Arrays, rows: int, context: CallContext, found: Reduced, only: str = ""
    ) -> Dict[str, Arrays]:
        """The prepared outputs of the members that answered, in the plan's order; for `only` one of their queries."""
        waiting = {
            asyncio.ensure_future(self._clients[member.name].call(query, inputs, rows, context)): (member, name)
            for member in members
            for name, query in member.queries.items()
            if only in ("", name)
        }
        answered: Dict[str, Arrays] = {member.name: {} for member in members}
        refused: Optional[ServeError] = None
        try:
            while waiting:
                context.awaited = {member.name for member, _ in waiting.values()}
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    member, name = waiting.pop(task)
                    call = task.result()
                    found.calls.append(call)
                    outputs = _outputs_of(member, name, call)
                    if outputs is None:
                        answered.pop(member.name, None)
                        refused = refused or call.rejected
                    elif member.name in answered:
                        answered[member.name].update(outputs)
        finally:
            await _cancel(waiting)
        if refused is not None and not answered:  # no other member accepts the inputs either
            raise refused
        found.missing.extend(member.name for member in members if member.name not in answered)
        return {name: self._reduction.prepared(name, outputs) for name, outputs in answered.items()}

    async def _meta(self, method: str, table: Array, rows: int, context: CallContext, found: Reduced) -> Arrays:
        """The outputs of a stack: those of its meta-model for the table of the other members' outputs."""
        member = self._member(self._plan.meta)
        try:
            outputs = await self._ask([member], {"stacked": table}, rows, context, found, only=method)
        except RequestError as error:  # the table comes from the members, not from the client
            raise failure(member, MemberError(_MISFIT, error.message)) from error
        return outputs[member.name]

    async def _cascade(self, method: str, inputs: Arrays, rows: int, context: CallContext) -> Reduced:
        """Ask the members one after the other, each for the rows whose top probability has not reached the threshold yet.

        The last member that answers decides for the rows that are left.
        """
        found = Reduced()
        probabilities = np.zeros((rows, len(self._plan.classes)))
        decided = np.zeros(rows, dtype=bool)
        answered = np.zeros(rows, dtype=bool)
        for member in self._plan.members:
            left = np.flatnonzero(~decided)
            if not len(left):
                break
            given = {name: array[left] for name, array in inputs.items()}
            before = len(found.calls)
            outputs = await self._ask([member], given, len(left), context, found)
            for call in found.calls[before:]:
                call.places = left
            if member.name not in outputs:
                continue
            probabilities[left] = outputs[member.name][PROBABILITIES]
            answered[left] = True
            decided[left] = confident(probabilities[left], self._plan.threshold)
        if not answered.all():
            raise NoMemberError("no member of the cascade has an answer that can be used")
        found.outputs = self._reduction.from_probabilities(probabilities, method)
        return found

    def _member(self, name: str) -> Member:
        return next(member for member in self._plan.members if member.name == name)


def failure(member: Member, error: MemberError) -> ServeError:
    """The error of a request that needs this member: late, overloaded, or failed. It names the member."""
    detail = {"member": member.name, "cause": error.kind}
    message = f"member {member.name}: {error.reason}"
    if error.kind == LATE:
        return MemberLateError(message, detail=detail)
    if error.kind == OVERLOADED:
        overloaded = NoMemberError(message)
        overloaded.detail.update(detail)
        return overloaded
    return MemberFailedError(message, detail=detail)


def _outputs_of(member: Member, name: str, call: MemberCall) -> Optional[Arrays]:
    """The outputs of a call, the only one under the name of its query; None for an optional member that failed."""
    if call.rejected is not None:
        if member.required:
            raise call.rejected
        call.error = MemberError(_REFUSED, call.rejected.message)
        return None
    if call.error is not None:
        if member.required:
            raise failure(member, call.error)
        return None
    outputs = call.outputs or {}
    return {name: next(iter(outputs.values()))} if len(outputs) == 1 else outputs


async def _cancel(tasks: Mapping[asyncio.Task[MemberCall], Any]) -> None:
    """Cancel calls that are not needed any more, and wait until their connections are closed."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)
