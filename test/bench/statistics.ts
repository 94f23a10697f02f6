/** What was measured in the rounds of a run, of one contender. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The middle value (of an even number, the mean of the two in the middle) and the ends. Needs one value at least. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error("no values");
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** The ratios of two contenders, round by round: what changes from round to round for both cancels out. */
export function ratios(of: readonly number[], to: readonly number[]): number[] {
  return of.flatMap((value, round) => {
    const base = to[round];
    return base === undefined || base === 0 ? [] : [value / base];
  });
}

/** Contenders in another order each round, so that none always comes first. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  return items.map((_, at) => items[(at + round) % items.length]!);
}

/** Three significant digits: `12,300`, `4.56`, `0.0123`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const rounded = Number(value.toPrecision(3));
  return Math.abs(rounded) >= 1000 ? rounded.toLocaleString("en-US") : String(rounded);
}

export function spreadText({ median, min, max }: Spread): string {
  return min === max ? figure(median) : `${figure(median)} (${figure(min)}–${figure(max)})`;
}
