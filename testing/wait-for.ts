// Waits for a message by the API, which answers the moment it is in.
import type { AskServer } from './ask-server.ts';
import { mailTimeout } from './mail-timeout.ts';
import { readTestMessage, type Summary, summariesSchema, type TestMessage } from './test-message.ts';

/**
 * What to wait for; what is left out does not matter. `to`, `from`, `subject`: each a part of it, in any case. `q`: a search, as in the
 * list of messages. `after`: only what came at this time or later, or after this message. `timeout`: milliseconds, 4,000
 * unless given: less than the 5 s that a test of Vitest has, so that the error says what came instead.
 */
export type Wanted = {
  readonly to?: string;
  readonly from?: string;
  readonly subject?: string;
  readonly q?: string;
  readonly after?: Date | Pick<TestMessage, 'receivedAt' | 'id'>;
  readonly timeout?: number;
};

const usualTimeoutMs = 4_000;
/** The API waits at most so long at once. */
const maxWaitMs = 50_000;
const maxArrived = 10;

/** The newest message that fits, or the first that comes. Rejects with a `MailTimeout`. */
export async function waitFor(
  ask: AskServer,
  { timeout = usualTimeoutMs, after, ...wanted }: Wanted,
): Promise<TestMessage> {
  const parameters = { ...wanted, ...(after === undefined ? {} : { after: timeAfter(after).toISOString() }) };
  const query = new URLSearchParams(parameters).toString();
  const end = performance.now() + timeout;
  for (let left = timeout; ; left = end - performance.now()) {
    const seconds = (Math.min(Math.max(left, 0), maxWaitMs) / 1_000).toFixed(3);
    const path = `/api/messages/wait?${query}${query === '' ? '' : '&'}timeout=${seconds}`;
    const { status, json } = await ask.json(path, { expected: [200, 408] });
    if (status === 200) return readTestMessage(ask, json);
    if (left <= maxWaitMs) throw mailTimeout(told(parameters), timeout, await arrivals(ask));
  }
}

/** The time of receipt is in whole milliseconds. */
function timeAfter(after: NonNullable<Wanted['after']>): Date {
  return after instanceof Date ? after : new Date(after.receivedAt.getTime() + 1);
}

function told(parameters: Readonly<Record<string, string>>): string {
  const words = Object.entries(parameters).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return words.length === 0 ? 'came' : `with ${words.join(', ')} came`;
}

async function arrivals(ask: AskServer): Promise<readonly string[]> {
  const { json } = await ask.json(`/api/messages?limit=${maxArrived}`);
  return summariesSchema.parse(json).messages.map(shown);
}

function shown({ subject, mailboxes }: Summary): string {
  return `${JSON.stringify(subject ?? '')} to ${mailboxes.join(', ')}`;
}
