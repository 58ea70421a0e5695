// How the ops API answers: JSON, a stored object as a stream, or a refusal with a code for programs and a sentence for people.
import type { StoredObject } from '#pipeline/contract/ports.ts';
import type { RefusalCode, RefusalStatus } from './refusals.ts';

/** A body that is iterated is streamed. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | AsyncIterable<Uint8Array>;
};

/** For functions that return either a value or a refusal. */
export function isAnswer(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null && 'status' in value && 'headers' in value && 'body' in value;
}

export function json(body: unknown, status = 200): Answer {
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  return { status, headers, body: `${JSON.stringify(body, null, 2)}\n` };
}

export function stream({ body, bytes }: StoredObject, headers: Readonly<Record<string, string>>): Answer {
  return { status: 200, headers: { ...headers, 'content-length': String(bytes) }, body };
}

export function withHeaders(answer: Answer, headers: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

/** The same answer; then the connection is closed, and further requests on it are not read. */
export function closing(answer: Answer): Answer {
  return withHeaders(answer, { connection: 'close' });
}

/** A refusal: `{"error": {"code", "message", …more}}`. `code`: a word of the table, with a status that it may have. */
export function refusal<Code extends RefusalCode>(
  status: RefusalStatus<Code>,
  code: Code,
  message: string,
  more: Readonly<Record<string, unknown>> = {},
): Answer {
  return json({ error: { code, message, ...more } }, status);
}

/** 400: a parameter of the query or of the path is wrong; the message says what was expected. */
export function badParameter(parameter: string, expected: string): Answer {
  return refusal(400, 'bad-parameter', `${parameter}: expected ${expected}`, { parameter });
}

/** 404. */
export function notFound(message: string, code: 'not-found' | 'not-in-a-mailbox' = 'not-found'): Answer {
  return refusal(404, code, message);
}
