/** The last pressures of one wrap, by their sequence: what comes late fills its gap, what never comes stays one. */

export interface Batch {
  /** wrap */ w: string;
  /** whether it is old: sent again, or late */ h: boolean;
  /** boot of the device */ o: number;
  /** sequence of the first sample */ q: number;
  /** ms between two samples */ d: number;
  /** time of the first sample, unix s, null before the clock is known */ u: number | null;
  /** pressures in mmHg, a row a chamber */ p: number[][];
}

export class Ring {
  private capacity = 0;
  private boot: number | null = null;
  private first = 0;
  private times_s = new Float64Array(0);
  private values: Float32Array[] = [];
  /** sequence of the newest sample, -1 before the first */
  newest = -1;
  periodMs = 20;

  constructor(readonly span_s: number) {}

  get chambers(): number {
    return this.values.length;
  }

  /** Time of the newest sample, unix s; NaN while unknown. */
  get newest_s(): number {
    return this.newest < 0 ? NaN : (this.times_s[this.newest % this.capacity] ?? NaN);
  }

  /** Take a batch in. Says whether it brought a newer sample than there was. */
  put(batch: Batch): boolean {
    const rows = batch.p;
    const count = rows[0]?.length ?? 0;
    if (count === 0 || batch.d <= 0) return false;
    if (batch.o !== this.boot || batch.d !== this.periodMs || rows.length !== this.values.length) this.reset(batch, rows.length);
    const before = this.newest;
    const last = batch.q + count - 1;
    if (last > this.newest) {
      // What lies between is not known yet.
      for (let seq = Math.max(this.newest + 1, last - this.capacity + 1); seq <= last; seq++) this.clear(seq);
      this.newest = last;
    }
    if (before < 0) this.first = batch.q;
    this.first = Math.min(this.first, batch.q);
    for (let i = 0; i < count; i++) {
      const seq = batch.q + i;
      if (seq <= this.newest - this.capacity) continue;
      const at = seq % this.capacity;
      this.times_s[at] = batch.u === null ? NaN : batch.u + (i * batch.d) / 1000;
      rows.forEach((row, chamber) => {
        const values = this.values[chamber];
        if (values !== undefined) values[at] = row[i] ?? NaN;
      });
    }
    return this.newest > before;
  }

  /** The newest pressure of each chamber. */
  latest(): number[] {
    return this.newest < 0 ? [] : this.values.map((row) => row[this.newest % this.capacity] ?? NaN);
  }

  /** Samples that should be there in the last `span_s`, and those that are missing. */
  gaps(): { missing: number; expected: number } {
    if (this.newest < 0) return { missing: 0, expected: 0 };
    const from = Math.max(this.first, this.newest - Math.round((this.span_s * 1000) / this.periodMs) + 1);
    const row = this.values[0];
    let missing = 0;
    for (let seq = from; seq <= this.newest; seq++) if (Number.isNaN(row?.[seq % this.capacity] ?? NaN)) missing++;
    return { missing, expected: this.newest - from + 1 };
  }

  /** Columns for a chart: seconds before `now_s`, then a row a chamber; a gap is null. */
  columns(now_s: number, span_s: number): [number[], ...(number | null)[][]] {
    const xs: number[] = [];
    const rows: (number | null)[][] = this.values.map(() => []);
    const count = Math.min(this.capacity, Math.ceil((span_s * 1000) / this.periodMs) + 50);
    for (let seq = Math.max(0, this.newest - count + 1); seq <= this.newest; seq++) {
      const at = seq % this.capacity;
      const time_s = this.times_s[at] ?? NaN;
      let x = time_s - now_s;
      if (Number.isNaN(x)) {
        const last = xs[xs.length - 1];
        if (last === undefined) continue;
        x = last + this.periodMs / 1000;
      }
      if (x < -span_s) continue;
      xs.push(x);
      this.values.forEach((row, chamber) => {
        const value = row[at] ?? NaN;
        rows[chamber]?.push(Number.isNaN(value) ? null : value);
      });
    }
    return [xs, ...rows];
  }

  private clear(seq: number): void {
    const at = seq % this.capacity;
    this.times_s[at] = NaN;
    for (const row of this.values) row[at] = NaN;
  }

  private reset(batch: Batch, chambers: number): void {
    this.boot = batch.o;
    this.periodMs = batch.d;
    this.capacity = Math.ceil((this.span_s * 1000) / batch.d) + 100;
    this.times_s = new Float64Array(this.capacity).fill(NaN);
    this.values = Array.from({ length: chambers }, () => new Float32Array(this.capacity).fill(NaN));
    this.newest = -1;
    this.first = batch.q;
  }
}
