/** Measurements beside those of a bare script, taken in turns: bare, own, bare, own, … bare. */

import { quantile } from './settings.ts';

/** What is compared: by label a figure of TaskFlow, and the bare one it stands beside. */
export type Compared<Own extends string, Bare extends string> = Readonly<
  Record<string, readonly [own: Own, bare: Bare]>
>;

/** A line for each label: medians, and ratios of each measurement to the bare ones right before and after it. */
export function tableOf<Own extends string, Bare extends string>(
  compared: Compared<Own, Bare>,
  own: readonly Readonly<Record<Own, number>>[],
  bare: readonly Readonly<Record<Bare, number>>[],
) {
  return Object.fromEntries(
    Object.entries(compared).map(([label, [field, yardstick]]) => [
      label,
      lineOf(
        own.map((figures) => figures[field]),
        bare.map((figures) => figures[yardstick]),
      ),
    ]),
  );
}

function lineOf(own: readonly number[], bare: readonly number[]) {
  const ratios = own.map((figure, round) => {
    const [before = Number.NaN, after = Number.NaN] = bare.slice(round, round + 2);
    return figure / ((before + after) / 2);
  });
  return {
    TaskFlow: Math.round(quantile(own, 0.5)),
    bare: Math.round(quantile(bare, 0.5)),
    ratio: Number(quantile(ratios, 0.5).toFixed(2)),
    lowest: Number(Math.min(...ratios).toFixed(2)),
    highest: Number(Math.max(...ratios).toFixed(2)),
  };
}
