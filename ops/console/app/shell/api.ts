// Requests to the ops API, whose answers are typed by the use cases that give them.
import type { z } from 'zod';
import type { showActivity } from '#ops/activity.ts';
import type { DeadLetter, MailboxCounts, QueueCounts } from '#ops/admin.ts';
import type { chaosAnswer } from '#ops/chaos.ts';
import type { ClientReport } from '#ops/content/client-report.ts';
import type { ShownDelivery } from '#ops/deliveries.ts';
import type { showHealth } from '#ops/health.ts';
import type { deletedSome } from '#ops/messages/delete-messages.ts';
import type { listMessages } from '#ops/messages/list-messages.ts';
import type { markedSome } from '#ops/messages/mark-messages.ts';
import type { acceptMessage } from '#ops/releases/accept-message.ts';
import type { releaseMessage, showReleaseRules } from '#ops/releases/release-message.ts';
import type { listSuppressions } from '#ops/suppressions.ts';
import type { traceMessage } from '#ops/trace/trace-message.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';

type Gives<Case extends { readonly gives: z.ZodType }> = Readonly<z.output<Case['gives']>>;

export type MailPage = Gives<typeof listMessages>;
export type Listed = MailPage['messages'][number];
export type Trace = Gives<typeof traceMessage>;
export type Activity = Gives<typeof showActivity>;
export type HealthReport = Gives<typeof showHealth>;
export type DeletedSome = Readonly<z.output<typeof deletedSome>>;
export type MarkedSome = Readonly<z.output<typeof markedSome>>;
export type Chaos = Readonly<z.output<typeof chaosAnswer>>;
export type Accepted = Gives<typeof acceptMessage>;
export type ReleaseAnswer = Gives<typeof releaseMessage>;
export type ReleaseRules = Gives<typeof showReleaseRules>;
export type Suppressions = Gives<typeof listSuppressions>;
export type Deliveries = { readonly deliveries: readonly ShownDelivery[]; readonly next: string | null };
export type DeadLetters = { readonly queue: string; readonly dead: readonly DeadLetter[] };
export type { ClientReport, InboxMessage, MailboxCounts, QueueCounts, ShownDelivery };

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** `code`: the refusal's word for programs; `unreachable` where nothing answers. */
export type Failure = { readonly code: string; readonly message: string };

/** `body`: sent as JSON. Rejects with an Error whose `cause` is the code of a Failure. */
export async function api<Answer>(path: string, method: Method = 'GET', body?: unknown): Promise<Answer> {
  const sent =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await fetch(path, { method, keepalive: method !== 'GET', ...sent }).catch(() =>
    fail('unreachable', 'the server does not answer'),
  );
  const answer = await response.json().catch(() => fail('no-json', `the server answered ${response.status}`));
  if (answer?.error !== undefined && !response.ok) fail(String(answer.error.code), String(answer.error.message));
  return answer;
}

/** Text of a stored object, at most `maxBytes` of it; `isWhole`: whether that is all. */
export async function textOf(
  path: string,
  { maxBytes, encoding = 'utf-8' }: { readonly maxBytes: number; readonly encoding?: 'utf-8' | 'latin1' },
): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const response = await fetch(path);
  if (!response.ok || response.body === null) return fail('no-text', `the server answered ${response.status}`);
  const reader = response.body.getReader();
  const decoder = new TextDecoder(encoding);
  let text = '';
  for (let bytes = 0; bytes < maxBytes; ) {
    const { done, value } = await reader.read();
    if (done) return { text: text + decoder.decode(), isWhole: true };
    text += decoder.decode(value.subarray(0, maxBytes - bytes), { stream: true });
    bytes += value.length;
  }
  await reader.cancel();
  return { text, isWhole: false };
}

export function failureOf(thrown: unknown): Failure {
  if (!(thrown instanceof Error)) return { code: 'unknown', message: String(thrown) };
  const { cause, message } = thrown;
  return { code: typeof cause === 'string' ? cause : 'unknown', message };
}

function fail(code: string, message: string): never {
  throw new Error(message, { cause: code });
}

export function messagePath(id: string, copy: string | null, what = ''): string {
  const mailbox = copy === null ? '' : `?mailbox=${encodeURIComponent(copy)}`;
  return `/api/messages/${encodeURIComponent(id)}${what}${mailbox}`;
}
