// How the service does: its health, what is stored and what waits, and charts of what came and went.
import { signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { type Activity, api } from '#ops/console/app/shell/api.ts';
import { health, mailboxes, queues, whenNews } from '#ops/console/app/shell/live.ts';
import { addressOf, place, searchAddress } from '#ops/console/app/shell/router.ts';
import { barsOf, type SpanName, spans } from '#ops/console/app/text/activity-bars.ts';
import { longTime } from '#ops/console/app/text/figures.ts';
import { Words } from '#ops/console/app/text/words.tsx';
import { Chart, type Series } from './chart.tsx';

const charts = [
  { title: 'Mail in', names: { received: 'good', refused: 'bad' } },
  { title: 'Delivered to mailboxes', names: { inbox: 'info', quarantined: 'bad' } },
  { title: 'Mail out, by attempt', names: { delivered: 'good', deferred: 'warn', bounced: 'bad' } },
] as const;
const everyMs = 5_000;

const activity = signal<Activity | null>(null);

export function Overview() {
  useEffect(() => {
    void load();
    return whenNews('overview', load, everyMs);
  }, []);
  const chosen = spanOf(place.value.query['span']);
  const now = activity.value;
  return (
    <main class="work-view" aria-busy={now === null}>
      <h1>Overview</h1>
      <Cards />
      <nav class="chips" aria-label="Span of the charts">
        {(['1h', '24h', '7d'] as const).map((name) => (
          <a
            key={name}
            class={name === chosen ? 'chip on' : 'chip'}
            aria-current={name === chosen ? 'true' : undefined}
            href={addressOf({ view: 'overview', query: { span: name } })}
          >
            {spans[name].label}
          </a>
        ))}
      </nav>
      {now !== null && <Charts activity={now} span={chosen} />}
      {now !== null && <p class="soft">Counted since {longTime(now.since)}, when the server started.</p>}
    </main>
  );
}

function Charts({ activity: { minutes, hours }, span }: { readonly activity: Activity; readonly span: SpanName }) {
  const drawn = useMemo(() => {
    const bars = barsOf(span, span === '7d' ? hours : minutes, Date.now());
    return charts.map(({ title, names }) => {
      const series: readonly Series[] = Object.entries(names).map(([name, color]) => ({
        name,
        color,
        values: bars.counts(name),
      }));
      return { title, starts: bars.starts, series };
    });
  }, [minutes, hours, span]);
  return (
    <>
      {drawn.map((chart) => (
        <Chart key={chart.title} {...chart} />
      ))}
    </>
  );
}

function Cards() {
  const report = health.value;
  const counts = mailboxes.value;
  const jobs = queues.value;
  const dead = jobs.reduce((sum, queue) => sum + queue.dead, 0);
  const waiting = jobs.reduce((sum, queue) => sum + queue.ready + queue.delayed, 0);
  return (
    <ul class="cards">
      <li class={`card ${report === null || report.status === 'ok' ? 'good' : 'bad'}`}>
        <b>{report?.status ?? '…'}</b>
        <span>{report === null ? '' : <Words>{report.problems.join(', ') || 'health'}</Words>}</span>
      </li>
      <li class="card">
        <a href={searchAddress('')}>
          <b>{counts.messages.toLocaleString('en')}</b>
          <span>messages stored</span>
        </a>
      </li>
      <li class="card">
        <a href={searchAddress('is:unread')}>
          <b>{counts.unread.toLocaleString('en')}</b>
          <span>unread</span>
        </a>
      </li>
      <li class="card">
        <a href={addressOf({ view: 'queues' })}>
          <b>{waiting.toLocaleString('en')}</b>
          <span>jobs waiting</span>
        </a>
      </li>
      <li class={dead > 0 ? 'card bad' : 'card'}>
        <a href={addressOf({ view: 'queues' })}>
          <b>{dead.toLocaleString('en')}</b>
          <span>dead letters</span>
        </a>
      </li>
    </ul>
  );
}

function spanOf(text: string | undefined): SpanName {
  return text === '24h' || text === '7d' ? text : '1h';
}

async function load(): Promise<void> {
  activity.value = await api<Activity>('/api/activity');
}
