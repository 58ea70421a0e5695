// The queues with their dead letters, and what can be done about those.
import { signal } from '@preact/signals';
import { RotateCw, Trash2 } from 'lucide-preact';
import { useEffect } from 'preact/hooks';
import { api, type DeadLetters, type QueueCounts } from '#ops/console/app/shell/api.ts';
import { health, lookAgain, queues, whenNews } from '#ops/console/app/shell/live.ts';
import { complain, confirm, tell } from '#ops/console/app/shell/notices.tsx';
import { addressOf } from '#ops/console/app/shell/router.ts';
import { counted, span } from '#ops/console/app/text/figures.ts';
import { Tag, Time, Words } from '#ops/console/app/text/words.tsx';

const dead = signal<readonly DeadLetters[]>([]);
const mostDead = 20;
const abouts = new Map([
  ['received', 'who sent it, and where it goes'],
  ['received-slow', 'the same, while the sender’s DNS does not answer'],
  ['parse', 'into mailboxes'],
  ['deliver', 'out to other hosts'],
  ['notify', 'to your hooks'],
]);

export function Queues() {
  useEffect(() => {
    void load();
    return whenNews('queues', load);
  }, []);
  const report = health.value;
  return (
    <main class="work-view">
      <h1>Queues</h1>
      {report !== null && (
        <p>
          Health: <Tag tone={report.status === 'ok' ? 'good' : 'bad'}>{report.status}</Tag>{' '}
          <Words>{report.problems.join(', ')}</Words>
        </p>
      )}
      <table class="work queues">
        <thead>
          <tr>
            {['Queue', 'Ready', 'Delayed', 'In flight', 'Dead letters', 'Longest wait'].map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
            <td />
          </tr>
        </thead>
        <tbody>
          {queues.value.map((queue) => (
            <Queue key={queue.name} {...queue} />
          ))}
        </tbody>
      </table>
      {dead.value.map((letters) => (
        <DeadOf key={letters.queue} {...letters} />
      ))}
    </main>
  );
}

function Queue({ name, ready, delayed, inFlight, dead: died, oldestSeconds, faults }: QueueCounts) {
  return (
    <>
      <tr>
        <th scope="row" data-label="Queue">
          <span>
            {name}
            <small>{abouts.get(name)}</small>
          </span>
        </th>
        <td data-label="Ready" class="number">
          {ready}
        </td>
        <td data-label="Delayed" class="number">
          {delayed}
        </td>
        <td data-label="In flight" class="number">
          {inFlight}
        </td>
        <td data-label="Dead letters" class={died > 0 ? 'number bad' : 'number'}>
          {died}
        </td>
        <td data-label="Longest wait">{oldestSeconds === null ? '' : span(oldestSeconds)}</td>
        <td>{(died > 0 || faults.length > 0) && <QueueActions name={name} dead={died} />}</td>
      </tr>
      {faults.map(({ reason, jobs, retryAt }) => (
        <tr key={reason} class="fault">
          <td colSpan={7}>
            {counted(jobs, 'job')} until this is mended: <Words>{reason}</Words>; tried again{' '}
            <Time at={retryAt} form="long" />
          </td>
        </tr>
      ))}
    </>
  );
}

function QueueActions({ name, dead: died }: { readonly name: string; readonly dead: number }) {
  const act = (action: 'redrive' | 'purge', done: string): void => {
    void api<{ readonly jobs: number }>(`/api/queues/${name}/${action}`, 'POST')
      .then(({ jobs }) => {
        tell(`${counted(jobs, 'job')} of ${name} ${done}`);
        lookAgain();
      })
      .catch(complain);
  };
  const redrive = (): void =>
    confirm({
      title: `Try the dead letters of ${name} again?`,
      text: `${counted(died, 'job')} will be put back on the queue. What failed before may fail again, and is a dead letter then.`,
      action: 'Try again',
      yes: () => act('redrive', 'tried again'),
    });
  const purge = (): void =>
    confirm({
      title: `Delete the dead letters of ${name}?`,
      text: `${counted(died, 'job')} will be gone. The messages stay stored, and can be replayed. It cannot be undone.`,
      action: 'Delete',
      yes: () => act('purge', 'deleted'),
    });
  return (
    <span class="acts">
      <button type="button" class="act" onClick={redrive}>
        <RotateCw aria-hidden="true" size={14} /> Try again
      </button>
      {died > 0 && (
        <button type="button" class="act danger" onClick={purge}>
          <Trash2 aria-hidden="true" size={14} /> Delete
        </button>
      )}
    </span>
  );
}

function DeadOf({ queue, dead: letters }: DeadLetters) {
  return (
    <section>
      <h2>Dead letters of {queue}</h2>
      <ul class="dead">
        {letters.map(({ id, reason, receiveCount, diedAt }, n) => (
          <li key={`${n} ${diedAt}`} class="card">
            <Time at={diedAt} form="long" />{' '}
            {id !== null && (
              <a class="id" href={addressOf({ view: 'trace', id })}>
                {id}
              </a>
            )}{' '}
            after {counted(receiveCount, 'try', 'tries')}: <Words class="bad">{reason}</Words>
          </li>
        ))}
      </ul>
    </section>
  );
}

async function load(): Promise<void> {
  const all = await api<readonly QueueCounts[]>('/api/queues');
  queues.value = all;
  dead.value = await Promise.all(
    all
      .filter((queue) => queue.dead > 0)
      .map(({ name }) => api<DeadLetters>(`/api/queues/${name}/dead?limit=${mostDead}`)),
  );
}
