// What the whole page goes by: the connection, and the counts beside the names of mailboxes and views. Views say what they
// reload when something may have changed.
import { signal } from '@preact/signals';
import { api, type Chaos, type HealthReport, type MailboxCounts, type QueueCounts } from './api.ts';
import { type Connection, listen, type News } from './events.ts';

export const connection = signal<Connection>('connecting');
export const mailboxes = signal<MailboxCounts>({ mailboxes: [], messages: 0, unread: 0, tags: [] });
export const queues = signal<readonly QueueCounts[]>([]);
/** Whether chaos is off, or its settings in words; null where it is not possible. */
export const chaosWords = signal<string | null>(null);
export const health = signal<HealthReport | null>(null);

/** At most one reload of each kind in this time, however much mail comes in; the first at once. */
const restMs = 500;
const countsRestMs = 2_000;

type Reload = (news: readonly News[]) => Promise<void>;
const reloads = new Map<string, (news: News) => void>();

/** Calls `reload` when something may have changed; the name's earlier one is called no more. Answers how to stop. */
export function whenNews(name: string, reload: Reload, everyMs = restMs): () => void {
  const soon = atMostEvery(everyMs, reload);
  reloads.set(name, soon);
  return () => {
    if (reloads.get(name) === soon) reloads.delete(name);
  };
}

/** Begins to listen. */
export function startListening(): void {
  whenNews('counts', loadCounts, countsRestMs);
  listen({
    onNews: tellAll,
    onState: (state) => {
      connection.value = state;
    },
  });
  void loadCounts();
}

/** Everything is looked at again, after an action of this tab. */
export function lookAgain(): void {
  tellAll({ event: null, data: null });
}

/** Where the service listens for mail, as `/health` tells it. */
export function listenersOf(report: HealthReport | null): readonly { readonly role: string; readonly text: string }[] {
  const listeners = report?.['listeners'];
  if (!Array.isArray(listeners)) return [];
  return listeners.slice(0, 3).map((one) => ({ role: String(one.role), text: `${one.host}:${one.port}` }));
}

function tellAll(news: News): void {
  for (const reload of reloads.values()) reload(news);
}

async function loadCounts(): Promise<void> {
  const [boxes, all, report, chaos] = await Promise.all([
    api<MailboxCounts>('/api/mailboxes').catch(() => null),
    api<readonly QueueCounts[]>('/api/queues').catch(() => null),
    api<HealthReport>('/health').catch(() => null),
    api<Chaos>('/api/chaos?limit=1').catch(() => null),
  ]);
  if (boxes !== null) mailboxes.value = boxes;
  if (all !== null) queues.value = all;
  if (report !== null) health.value = report;
  if (chaos !== null) chaosWords.value = chaos.isPossible ? chaos.words : null;
}

function atMostEvery(everyMs: number, run: Reload): (news: News) => void {
  let waiting: News[] = [];
  let isResting = false;
  const go = (): void => {
    if (waiting.length === 0) return;
    isResting = true;
    const news = waiting;
    waiting = [];
    void run(news)
      .catch(() => {}) // the connection's state says that the server is away
      .finally(() =>
        setTimeout(() => {
          isResting = false;
          go();
        }, everyMs),
      );
  };
  return (news) => {
    waiting.push(news);
    if (!isResting) go();
  };
}
