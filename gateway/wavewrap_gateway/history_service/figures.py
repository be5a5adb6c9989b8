"""What a session measured: the dose of every chamber, the timing of its steps, what is missing; two sessions, and many."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from wavewrap_gateway.adapters.store_search import list_matching
from wavewrap_gateway.core.account import SessionAccount, quantiles
from wavewrap_gateway.core.dose import ChamberDose, compare_doses, measure_dose
from wavewrap_gateway.core.recorded_session import RecordedSession, RecordedSide
from wavewrap_gateway.history_service.curves import span_s
from wavewrap_gateway.history_service.journal import rate_sessions
from wavewrap_gateway.history_service.shelf import SETTLED, Shelf
from wavewrap_protocol.errors import StoreError
from wavewrap_protocol.history_answers import (
    ChamberChange,
    CompareAnswer,
    ComparedSide,
    EventLine,
    MissingSpan,
    SessionAnswer,
    StepTiming,
    TrendLine,
    TrendsAnswer,
    TrendWrap,
    WrapFigures,
)
from wavewrap_protocol.history_asks import CompareAsk, SessionAsk, TrendsAsk
from wavewrap_protocol.payloads import ChamberFigures, SessionSummary, Side
from wavewrap_protocol.units import TICKS_PER_S

__all__ = ["answer_compare", "answer_session", "answer_trends"]

STEPS_MAX = 1500
"""Choice: as many as a chart of a wide screen has pixels for."""

SPANS_MAX = 200
"""Choice: the longest; that there are more shows in the count."""


def answer_session(shelf: Shelf, ask: SessionAsk) -> SessionAnswer:
    """All of it but the curves."""
    session = shelf.session(ask.session)
    head, (begin_s, end_s), zero_unix_s = session.head, span_s(session), session.zero_unix_s
    doses = [measure_dose(side.account) for side in session.sides]
    by_side = _by_side(session, doses)
    return SessionAnswer(
        session=head.session_id,
        gateway=head.gateway,
        version=head.version,
        program=head.program.name,
        title=head.program.title,
        description=head.program.description,
        planned_s=head.planned_s,
        ceiling_mmhg=head.ceiling_mmhg,
        started_unix_s=head.started_unix_s,
        ended_unix_s=session.ended_unix_s,
        state=session.state.value,
        reason=session.reason,
        unrecorded=session.unrecorded,
        begin_s=begin_s,
        end_s=end_s,
        summary=session.summary,
        wraps=[_describe(side, dose) for side, dose in zip(session.sides, doses, strict=True)],
        left_minus_right=_changes(by_side[Side.LEFT][1], by_side[Side.RIGHT][1]) if len(by_side) == 2 else [],
        events=[
            EventLine(
                wrap=event.wrap,
                at_s=None if zero_unix_s is None else round(event.unix_s - zero_unix_s, 3),
                unix_s=event.unix_s,
                kind=event.kind,
                text=event.text,
            )
            for event in session.events
        ],
    )


def answer_compare(shelf: Shelf, ask: CompareAsk) -> CompareAnswer:
    """Side by side."""
    one, other = shelf.session(ask.one), shelf.session(ask.other)
    ours, theirs = (_by_side(session, [measure_dose(side.account) for side in session.sides]) for session in (one, other))
    return CompareAnswer(
        one=one.head.session_id,
        other=other.head.session_id,
        sides=[
            ComparedSide(side=side, one=ours[side][0], other=theirs[side][0], changes=_changes(ours[side][1], theirs[side][1]))
            for side in Side
            if side in ours and side in theirs
        ],
    )


def answer_trends(shelf: Shelf, ask: TrendsAsk) -> TrendsAnswer:
    """A line a session; one that is damaged is named and hides no other."""
    found = list_matching(shelf.place, ask, ask.limit, ask.offset)
    lines: list[TrendLine] = []
    damaged: list[str] = []
    for one in found.lines:
        line = shelf.trends.get(one.session)
        if line is None:
            try:
                session = shelf.session(one.session)
                line = TrendLine(
                    session=one.session,
                    program=one.program,
                    state=one.state,
                    started_unix_s=one.started_unix_s,
                    wraps=[_sum_up(side, session.summary) for side in session.sides],
                )
            except StoreError:
                damaged.append(one.session)
                continue
            if one.state in SETTLED:
                shelf.trends[one.session] = line
        lines.append(line)
    # Not kept on the shelf: a rating may come two days later, and be deleted later still.
    soreness = rate_sessions(shelf, found.lines)
    rated = [line.model_copy(update={"soreness": soreness.get(line.session)}) for line in lines]
    return TrendsAnswer(total=found.total, sessions=rated, damaged=damaged)


def _by_side(session: RecordedSession, doses: Sequence[list[ChamberDose]]) -> dict[Side, tuple[str, list[ChamberDose]]]:
    """The first wrap of each side."""
    pairs = reversed(list(zip(session.sides, doses, strict=True)))
    return {side.wrap.side: (side.wrap.name, dose) for side, dose in pairs}


def _changes(one: Sequence[ChamberDose], other: Sequence[ChamberDose]) -> list[ChamberChange]:
    return [ChamberChange.model_validate(asdict(change)) for change in compare_doses(one, other)]


def _describe(side: RecordedSide, dose: Sequence[ChamberDose]) -> WrapFigures:
    wrap, curves, account = side.wrap, side.curves, side.account
    errors_ms = account.timing_errors_ms()
    return WrapFigures(
        id=wrap.name,
        side=wrap.side,
        serial=wrap.serial,
        model=wrap.model,
        firmware=wrap.firmware,
        chambers=wrap.chambers,
        kept=len(curves),
        replayed=int(curves.replayed.sum()),
        missing=curves.missing,
        missing_spans=_missing_spans(side),
        dose=[ChamberFigures.model_validate(asdict(chamber)) for chamber in dose],
        steps_answered=account.answered,
        steps_carried_out=len(errors_ms),
        timing_ms=quantiles(errors_ms) if errors_ms else None,
        steps=_timing(account),
    )


def _missing_spans(side: RecordedSide) -> list[MissingSpan]:
    """Holes in the numbers of one boot, in the order of time."""
    curves, at_s = side.curves, side.curves.session_s(side.account)
    lost = np.where(np.diff(curves.epoch) == 0, np.diff(curves.seq) - 1, 0)
    longest = sorted(np.flatnonzero(lost).tolist(), key=lambda at: -int(lost[at]))[:SPANS_MAX]
    return [
        MissingSpan(from_s=round(float(at_s[at]), 3), to_s=round(float(at_s[at + 1]), 3), samples=int(lost[at])) for at in sorted(longest)
    ]


def _timing(account: SessionAccount) -> list[StepTiming]:
    steps = [
        StepTiming(
            at_s=round(step.at_s, 3),
            chamber=step.wave.chamber + 1,
            offset_ms=round((step.actual_tick - step.due_tick) * 1000.0 / TICKS_PER_S, 2),
            uncertainty_ms=round(step.uncertainty_s * 1000.0, 2),
        )
        for step in account.carried_out
        if step.actual_tick is not None
    ]
    width = -(-len(steps) // STEPS_MAX) if steps else 1
    return [max(steps[at : at + width], key=lambda step: abs(step.offset_ms)) for at in range(0, len(steps), width)]


def _sum_up(side: RecordedSide, summary: SessionSummary | None) -> TrendWrap:
    dose, errors_ms = measure_dose(side.account), side.account.timing_errors_ms()
    leaks = [chamber.leak_mmhg_s for chamber in dose if chamber.leak_mmhg_s is not None]
    sampled = bool(len(side.curves)) and bool(dose)
    noted = next((wrap for wrap in summary.wraps if wrap.id == side.wrap.name), None) if summary is not None else None
    return TrendWrap(
        id=side.wrap.name,
        side=side.wrap.side,
        over_threshold_s=round(float(np.mean([chamber.over_threshold_s for chamber in dose])), 2) if sampled else None,
        pressure_time_mmhg_s=round(float(np.mean([chamber.pressure_time_mmhg_s for chamber in dose])), 1) if sampled else None,
        peak_mmhg=max(chamber.peak_mmhg for chamber in dose) if sampled else None,
        leak_mmhg_s=max(leaks, default=None),
        timing_p99_ms=quantiles(errors_ms).p99 if errors_ms else None,
        missing=side.curves.missing,
        battery_start_pct=None if noted is None else noted.battery_start_pct,
        battery_end_pct=None if noted is None else noted.battery_end_pct,
    )
