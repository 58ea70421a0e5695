// A chart of stacked bars over time, with its figures as a table for those who do not see it.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { scheme } from '#ops/console/app/shell/scheme.ts';
import { counted } from '#ops/console/app/text/figures.ts';

/** `color`: a custom property of the page's style. */
export type Series = { readonly name: string; readonly color: string; readonly values: readonly number[] };
/** `starts`: of the bars, milliseconds since 1970. */
type ChartProps = { readonly title: string; readonly starts: readonly number[]; readonly series: readonly Series[] };

const height = 170;

export function Chart({ title, starts, series }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const { current: element } = box;
    if (element === null) return;
    const draw = (): uPlot => new uPlot(optionsOf(element, starts, series), dataOf(starts, series), element);
    let plot: uPlot | null = null;
    const redraw = (): void => {
      plot?.destroy();
      plot = draw();
    };
    const stopScheme = scheme.subscribe(redraw); // its colours are drawn, not styled
    const resized = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', redraw);
    return () => {
      resized.disconnect();
      system.removeEventListener('change', redraw);
      stopScheme();
      plot?.destroy();
    };
  }, [starts, series]);
  const sums = series.map(({ name, values }) => `${sum(values).toLocaleString('en')} ${name}`);
  return (
    <section class="card chart">
      <h2>{title}</h2>
      <p class="legend">
        {series.map(({ name, color, values }) => (
          <span key={name}>
            <i class={`swatch ${color}`} /> {sum(values).toLocaleString('en')} {name}
          </span>
        ))}
      </p>
      <div ref={box} class="plot" role="img" aria-label={`${title}: ${sums.join(', ')}`} />
      <details>
        <summary>Figures</summary>
        <Figures title={title} starts={starts} series={series} />
      </details>
    </section>
  );
}

function Figures({ title, starts, series }: ChartProps) {
  const rows = starts
    .map((start, n) => ({ start, values: series.map(({ values }) => values[n] ?? 0) }))
    .filter(({ values }) => values.some((value) => value > 0));
  if (rows.length === 0) return <p class="soft">Nothing in this time.</p>;
  return (
    <table class="figures">
      <caption class="sr">
        {title}, {counted(rows.length, 'time')} in which something happened
      </caption>
      <thead>
        <tr>
          <th scope="col">From</th>
          {series.map(({ name }) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ start, values }) => (
          <tr key={start}>
            <th scope="row">{new Date(start).toLocaleString([], { dateStyle: 'short', timeStyle: 'short' })}</th>
            {values.map((value, n) => (
              <td key={series[n]?.name} class="number">
                {value}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The first series stands on the second and so on: uPlot draws the tallest first, the others in front of it. */
function dataOf(starts: readonly number[], series: readonly Series[]): uPlot.AlignedData {
  const stacked = series.map((_, n) =>
    starts.map((_, bar) => sum(series.slice(n).map(({ values }) => values[bar] ?? 0))),
  );
  return [starts.map((start) => start / 1_000), ...stacked];
}

function optionsOf(element: HTMLElement, starts: readonly number[], series: readonly Series[]): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(`--${name}-drawn`).trim() || style.color;
  const axis = {
    stroke: style.color,
    grid: { stroke: color('line'), width: 1 },
    ticks: { stroke: color('line'), width: 1 },
    font: '12px system-ui, sans-serif',
  };
  const bars = uPlot.paths.bars?.({ size: [0.8, 40], align: 1 });
  return {
    width: element.clientWidth,
    height,
    cursor: { y: false, points: { show: false } },
    legend: { show: false },
    scales: {
      x: { range: rangeOf(starts) },
      y: { range: (_, __, most) => [0, Math.max(4, Math.ceil((most ?? 0) * 1.1))] },
    },
    axes: [
      { ...axis, values: (_, at) => at.map((seconds) => timeText(seconds, starts)) },
      { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6] },
    ],
    series: [
      {},
      ...series.map(({ name, color: its }) => ({
        label: name,
        fill: color(its),
        stroke: color(its),
        width: 0,
        points: { show: false },
        ...(bars === undefined ? {} : { paths: bars }),
      })),
    ],
  };
}

/** The last bar stands behind its start. In seconds. */
function rangeOf(starts: readonly number[]): [number, number] {
  const [first = 0, second = 0] = starts;
  return [first / 1_000, ((starts.at(-1) ?? 0) + second - first) / 1_000];
}

function timeText(seconds: number, starts: readonly number[]): string {
  const moment = new Date(seconds * 1_000);
  const isLong = (starts.at(-1) ?? 0) - (starts[0] ?? 0) > 2 * 86_400_000;
  if (isLong) return moment.toLocaleDateString([], { weekday: 'short', day: 'numeric' });
  return moment.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
