// One POST to a webhook, bounded in time and in what is read of the answer. Redirects are not followed: they would lead past the
// checks of the address, and a signed message to somebody else.
import { request as requestInClear } from 'node:http';
import { type RequestOptions, request as requestOverTls } from 'node:https';
import { isProblem } from '#mail/problem.ts';
import { hostOf, isHttps } from '#pipeline/config/hook.ts';
import { type FoundAddress, findAddresses, type LookUp, type Reach } from './find-addresses.ts';

/** `text`: the beginning of the answer's body. */
export type WebhookAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfter: string | null; readonly text: string }
  | { readonly kind: 'failed'; readonly reason: string };

export type WebhookCall = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

export type CallBounds = { readonly lookUp: LookUp; readonly reach: Reach; readonly timeoutMs: number };

/** For all of a call: finding the host, connecting, sending, the answer. */
export const callTimeoutMs = 20_000;
const mostAnswerBytes = 4_096;

/** Never throws. */
export async function callWebhook(call: WebhookCall, bounds: CallBounds): Promise<WebhookAnswer> {
  const signal = AbortSignal.timeout(bounds.timeoutMs);
  const late = failed(`it did not answer within ${bounds.timeoutMs / 1_000} s`);
  const tooLate = new Promise<'late'>((resolve) =>
    signal.addEventListener('abort', () => resolve('late'), { once: true }),
  );
  const found = await Promise.race([findAddresses(hostOf(call.url), bounds), tooLate]);
  if (found === 'late') return late;
  if (isProblem(found)) return failed(found.problem);
  return post(call, { found, signal, late });
}

type Found = {
  readonly found: readonly FoundAddress[];
  readonly signal: AbortSignal;
  readonly late: WebhookAnswer;
};

function post({ url, headers, body }: WebhookCall, { found, signal, late }: Found): Promise<WebhookAnswer> {
  const { promise, resolve } = Promise.withResolvers<WebhookAnswer>();
  const options: RequestOptions = {
    method: 'POST',
    headers: { ...headers, 'content-length': String(body.length) },
    signal,
    agent: false,
    // Just the addresses that were checked: a second look-up might find others.
    lookup: (_host, { all }, answer) => {
      const [first = { address: '', family: 0 }] = found;
      if (all === true) answer(null, [...found]);
      else answer(null, first.address, first.family);
    },
  };
  const request = (isHttps(url) ? requestOverTls : requestInClear)(url, options);
  let isAnswered = false;
  request.on('error', (error) => {
    if (!isAnswered) resolve(signal.aborted ? late : failed(reasonOf(error)));
  });
  request.on('response', (response) => {
    isAnswered = true;
    const { statusCode: status = 0, headers: answered } = response;
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const finish = (): void => {
      const text = Buffer.concat(chunks).subarray(0, mostAnswerBytes).toString('utf8');
      resolve({ kind: 'answered', status, retryAfter: answered['retry-after'] ?? null, text });
      request.destroy();
    };
    response.on('data', (chunk: Uint8Array) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= mostAnswerBytes) finish();
    });
    response.on('close', finish); // at the end, or because it broke off or is over its time: the status has come
    response.on('error', finish);
  });
  request.end(body);
  return promise;
}

function failed(reason: string): WebhookAnswer {
  return { kind: 'failed', reason };
}

/** If a host has several addresses, the error is of them all, and its message is empty. */
function reasonOf(error: Error): string {
  const [first] = error instanceof AggregateError ? error.errors : [];
  return first instanceof Error ? first.message : error.message;
}
