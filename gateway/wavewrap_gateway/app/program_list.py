"""The programs that can be started here, and what each is on wraps of a kind: the wave that would be played, never drawn anew elsewhere."""

from wavewrap_gateway.adapters.program_files import find_program, load_program, own_programs, preset_names
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.wave import Wave, compile_wave
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import SESSION_MAX_S
from wavewrap_protocol.payloads import Side
from wavewrap_protocol.responses import ProgramInfo, ProgramPreview, ProgramsData

__all__ = ["list_programs"]


def list_programs(config: GatewayConfig, chambers: int | None) -> ProgramsData:
    """Presets and the user's own; with ``chambers`` also the wave of each on wraps with so many, or why there is none."""
    programs: list[ProgramInfo] = []
    unusable: list[str] = []
    for name in sorted({*preset_names(), *own_programs(config.programs)}):
        try:
            source = find_program(name, config.programs)
            program = load_program(source, ceiling_mmhg=config.ceiling_mmhg)
        except UsageError as cause:
            unusable.append(str(cause))
            continue
        preview, unfit = None, None
        if chambers is not None:
            try:
                preview = _preview(load_program(source, chambers, config.ceiling_mmhg), chambers, config.ceiling_mmhg)
            except UsageError as cause:
                unfit = str(cause)
        programs.append(
            ProgramInfo(
                name=name,
                title=program.title,
                description=" ".join(program.description.split()),
                pattern=program.pattern,
                duration_min=program.duration_min,
                pressure_mmhg=program.pressure_mmhg,
                preview=preview,
                unfit=unfit,
            )
        )
    return ProgramsData(programs=programs, unusable=unusable)


def _preview(program: Program, chambers: int, ceiling_mmhg: float) -> ProgramPreview:
    # Long enough to come to full pressure, however short the program itself is.
    cycle_s = compile_wave(program, Side.LEFT, chambers).cycle_s
    until_s = min((len(program.soft_cycles_pct) + 1) * cycle_s, SESSION_MAX_S)
    left, right = (compile_wave(program, side, chambers, until_s) for side in (Side.LEFT, Side.RIGHT))
    return ProgramPreview(
        cycle_s=left.cycle_s,
        soft_pct=list(program.soft_cycles_pct),
        peaks_mmhg=[round(value, 1) for value in left.peaks_mmhg],
        ceiling_mmhg=ceiling_mmhg,
        left=_last_cycle(left),
        right=_last_cycle(right),
    )


def _last_cycle(wave: Wave) -> list[list[list[float]]]:
    begin_s = wave.duration_s - wave.cycle_s
    whole = [wave.corners(chamber, wave.duration_s) for chamber in range(wave.chambers)]
    starts_mmhg = wave.target_at(begin_s)
    return [
        [[0.0, round(start_mmhg, 1)], *([round(at_s - begin_s, 3), round(mmhg, 1)] for at_s, mmhg in corners if at_s > begin_s)]
        for corners, start_mmhg in zip(whole, starts_mmhg, strict=True)
    ]
