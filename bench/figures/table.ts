// How the bench prints: one row a measurement, its yardstick, the ratio, and whether the target is met.
import { shown } from './statistics.ts';

/** One measurement. `ratio` is what the target is about (a rate to a yardstick, or the value itself). */
export type Row = {
  readonly what: string;
  readonly value: string;
  readonly beside: string;
  readonly ratio: number | null;
  readonly target: { readonly atLeast: number } | { readonly atMost: number } | null;
};

/** The row as text of one line. */
export function rowText({ what, value, beside, ratio, target }: Row): string {
  const columns = [
    what.padEnd(46),
    value.padEnd(34),
    beside.padEnd(44),
    (ratio === null ? '' : shown(ratio)).padStart(7),
  ];
  return `${columns.join(' ')}  ${verdict(ratio, target)}`.trimEnd();
}

function verdict(ratio: number | null, target: Row['target']): string {
  if (target === null || ratio === null) return '';
  if ('atLeast' in target) return `${ratio >= target.atLeast ? 'met' : 'MISSED'} (at least ${target.atLeast})`;
  return `${ratio <= target.atMost ? 'met' : 'MISSED'} (at most ${target.atMost})`;
}
