// Metrics that go nowhere, and remember what was counted.
import type { Metrics } from '#pipeline/contract/ports.ts';

export type RecordedMetric = {
  readonly name: string;
  readonly value: number;
  readonly labels: Readonly<Record<string, string | undefined>>;
};
export type NoMetrics = Metrics & { readonly recorded: RecordedMetric[]; readonly total: (name: string) => number };

/** Metrics whose figures are in `recorded`; `total(name)` adds those of one name up. */
export function noMetrics(): NoMetrics {
  const recorded: RecordedMetric[] = [];
  return {
    recorded,
    total: (name) => recorded.filter((metric) => metric.name === name).reduce((sum, { value }) => sum + value, 0),
    count: (name, labels = {}, by = 1) => {
      recorded.push({ name, value: by, labels });
    },
    measure: (name, value, labels = {}) => {
      recorded.push({ name, value, labels });
    },
  };
}
