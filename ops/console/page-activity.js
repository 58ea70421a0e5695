// Charts of mail in and out: bars of SVG.
import { api, el, note, svg } from './page-dom.js';

const minuteMs = 60_000;
const spans = {
  hour: { label: 'last hour', bars: 60, barMs: minuteMs },
  day: { label: 'last 24 hours', bars: 96, barMs: 15 * minuteMs },
};
/** By title: what is counted, and its colour. */
const charts = {
  'Mail in': { received: 'good', refused: 'bad' },
  'Delivered to mailboxes': { inbox: 'good', quarantined: 'bad' },
  'Mail out, by attempt': { delivered: 'good', deferred: 'quiet', bounced: 'bad' },
};
const height = 120;

/** `go` shows another span. */
export async function showActivity(go, chosen = 'hour') {
  const { since, minutes } = await api('/api/activity');
  const bars = barsOf(spans[chosen], minutes, Date.now());
  const choices = Object.entries(spans).map(([name, { label }]) =>
    el('button', { type: 'button', disabled: name === chosen ? '' : null, click: () => go(name) }, label),
  );
  return [
    el('h2', {}, 'Activity'),
    el('p', { class: 'choices' }, choices),
    ...Object.entries(charts).flatMap(([title, kinds]) => drawChart(title, Object.entries(kinds), bars)),
    note(`Counted since ${new Date(since).toLocaleString()}, when the server started.`),
  ];
}

function barsOf({ bars, barMs }, minutes, now) {
  const end = Math.floor(now / barMs) * barMs + barMs;
  const made = Array.from({ length: bars }, (_, n) => ({ at: end - (bars - n) * barMs, counts: {} }));
  for (const { at, ...counts } of minutes) {
    const bar = made[Math.floor((Date.parse(at) - made[0].at) / barMs)];
    if (bar) for (const [name, count] of Object.entries(counts)) bar.counts[name] = (bar.counts[name] ?? 0) + count;
  }
  return made;
}

function drawChart(title, parts, bars) {
  const count = (bar, name) => bar.counts[name] ?? 0;
  const highest = Math.max(1, ...bars.map((bar) => parts.reduce((sum, [name]) => sum + count(bar, name), 0)));
  const total = (name) => bars.reduce((sum, bar) => sum + count(bar, name), 0);
  const drawn = bars.map((bar, n) => {
    let top = height;
    const pieces = parts.map(([name, kind]) => {
      const tall = (count(bar, name) / highest) * height;
      top -= tall;
      return svg('rect', { class: kind, x: n * 10 + 1, y: top, width: 8, height: tall });
    });
    const words = parts.map(([name]) => `${count(bar, name)} ${name}`).join(', ');
    const place = svg('rect', { class: 'place', x: n * 10, y: 0, width: 10, height });
    return svg('g', {}, svg('title', {}, `${new Date(bar.at).toLocaleString()}: ${words}`), place, ...pieces);
  });
  const summary = parts.map(([name, kind]) => el('span', { class: kind }, `${total(name)} ${name} `));
  return [
    el('h3', {}, title),
    el('p', { class: 'legend' }, summary, el('span', { class: 'quiet' }, `highest bar: ${highest}`)),
    svg(
      'svg',
      { class: 'chart', viewBox: `0 0 ${bars.length * 10} ${height}`, preserveAspectRatio: 'none', role: 'img' },
      svg('title', {}, `${title}: ${parts.map(([name]) => `${total(name)} ${name}`).join(', ')}`),
      ...drawn,
    ),
    el('p', { class: 'axis quiet' }, el('span', {}, new Date(bars[0].at).toLocaleTimeString()), el('span', {}, 'now')),
  ];
}
