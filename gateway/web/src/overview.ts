/** The running session, a point a second: pressures and targets, in room that is taken once, so that an hour weighs as much as a minute. */

/** Points: the longest session there is, and a minute. */
const CAPACITY = 3660;

export class Overview {
  length = 0;
  private first_s = 0;
  private chambers = 0;
  private after_s = new Float32Array(0);
  private rows: Float32Array[] = [];

  /** Time of the newest point, unix s; null before the first. */
  get newest_s(): number | null {
    return this.length === 0 ? null : this.first_s + (this.after_s[this.length - 1] ?? 0);
  }

  /** Time of the first one. */
  get begin_s(): number | null {
    return this.length === 0 ? null : this.first_s;
  }

  clear(): void {
    this.length = 0;
  }

  /** A point at `at_s`, unix s: a pressure a chamber, then a target a chamber, null where it is not known. */
  push(at_s: number, values: (number | null)[]): void {
    if (this.length >= CAPACITY) return;
    if (this.length === 0) {
      this.first_s = at_s;
      if (values.length !== 2 * this.chambers) {
        this.chambers = values.length / 2;
        this.after_s = new Float32Array(CAPACITY);
        this.rows = values.map(() => new Float32Array(CAPACITY));
      }
    }
    this.after_s[this.length] = at_s - this.first_s;
    this.rows.forEach((row, i) => (row[this.length] = values[i] ?? NaN));
    this.length++;
  }

  /** Columns for a chart: seconds after `zero_s`, then a row a value; what is not known is null. */
  columns(zero_s: number, rows: number): [number[], ...(number | null)[][]] {
    const offset_s = this.first_s - zero_s;
    const xs = Array.from(this.after_s.subarray(0, this.length), (after_s) => after_s + offset_s);
    const columns = Array.from({ length: rows }, (_, i) => Array.from(this.rows[i]?.subarray(0, this.length) ?? [], (value) => (Number.isNaN(value) ? null : value)));
    return [xs, ...columns];
  }
}
