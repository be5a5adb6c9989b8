/** The part of a session that is looked at, and how it moves. Pure. */

export interface Span {
  from_s: number;
  to_s: number;
}

/** Closer than this there is nothing more to see: some samples at 50 Hz. */
export const SHORTEST_S = 0.5;

/** Inside `whole`, as long as asked for where that fits, and never shorter than `SHORTEST_S`. */
export function clamp(wanted: Span, whole: Span): Span {
  const middle = (wanted.from_s + wanted.to_s) / 2;
  const width = Math.min(whole.to_s - whole.from_s, Math.max(SHORTEST_S, wanted.to_s - wanted.from_s));
  const from_s = Math.min(Math.max(whole.from_s, middle - width / 2), whole.to_s - width);
  return { from_s, to_s: from_s + width };
}

/** `factor` times as long, about the same middle. */
export function zoom(span: Span, factor: number, whole: Span): Span {
  const middle = (span.from_s + span.to_s) / 2;
  const half = ((span.to_s - span.from_s) * factor) / 2;
  return clamp({ from_s: middle - half, to_s: middle + half }, whole);
}

/** Moved by `share` of its own length. */
export function shift(span: Span, share: number, whole: Span): Span {
  const by = (span.to_s - span.from_s) * share;
  return clamp({ from_s: span.from_s + by, to_s: span.to_s + by }, whole);
}

export function around(at_s: number, width_s: number, whole: Span): Span {
  return clamp({ from_s: at_s - width_s / 2, to_s: at_s + width_s / 2 }, whole);
}

export function isWhole(span: Span, whole: Span): boolean {
  return span.from_s <= whole.from_s + 1e-6 && span.to_s >= whole.to_s - 1e-6;
}

export interface Reach {
  closer: boolean;
  further: boolean;
  earlier: boolean;
  later: boolean;
}

/** Where one can go from here. */
export function reach(span: Span, whole: Span): Reach {
  return {
    closer: span.to_s - span.from_s > SHORTEST_S + 1e-6,
    further: !isWhole(span, whole),
    earlier: span.from_s > whole.from_s + 1e-6,
    later: span.to_s < whole.to_s - 1e-6,
  };
}

/** As high as the line gets, or almost. */
const NEAR_TOP = 0.9;

/**
 * Where the number of each line stands: near the top of its line, and there as near as can be to a part of the width that is its own, so
 * that lines that rise one after the other, or all at once, can be told apart. An index into `xs`, null for a line without a value there.
 */
export function labelPlaces(xs: ArrayLike<number>, lines: ArrayLike<number | null | undefined>[], span: Span): (number | null)[] {
  const width = (span.to_s - span.from_s) / lines.length;
  return lines.map((line, number) => {
    const inside: number[] = [];
    let top = -Infinity;
    for (let at = 0; at < xs.length; at++) {
      const [x, y] = [xs[at] as number, line[at]];
      if (x < span.from_s || x > span.to_s || typeof y !== "number") continue;
      inside.push(at);
      top = Math.max(top, y);
    }
    const middle = span.from_s + (number + 0.5) * width;
    const far = (at: number): number => Math.abs((xs[at] as number) - middle);
    let best: number | null = null;
    for (const at of inside) if ((line[at] as number) >= top * NEAR_TOP && (best === null || far(at) < far(best))) best = at;
    return best;
  });
}
