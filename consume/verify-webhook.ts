// Proves that a webhook comes from who knows the secret, and is not an old one sent again (Standard Webhooks, version 1).
import { timingSafeEqual } from 'node:crypto';
import { isProblem } from '#mail/problem.ts';
import { signWebhook, webhookKey } from '#pipeline/contract/webhook-signature.ts';

/** The request as it came: the header names in any case, the body as text or bytes, not parsed. */
export type WebhookRequest = {
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string | Uint8Array;
};

export type WebhookCheck = {
  /** `whsec_…`; several while you change from one to another. */
  readonly secret: string | readonly string[];
  /** How far the time of sending may be from now, to either side (300). */
  readonly toleranceSeconds?: number;
  /** Milliseconds since 1970 (`Date.now`). */
  readonly now?: () => number;
};

/** `id` is the same whenever this webhook is sent again; `payload` is its JSON, for `readMail`. */
export type VerifiedWebhook = { readonly id: string; readonly sentAt: Date; readonly payload: unknown };

type Fault = 'header-missing' | 'header-invalid' | 'too-old' | 'too-new' | 'not-signed' | 'not-json' | 'secret-invalid';

/** Why a webhook is refused. `secret-invalid` is your own fault; to all others answer 400. */
export type WebhookError = Error & { readonly name: 'WebhookError'; readonly code: Fault };

/** Says whether what was thrown is the refusal of a webhook. */
export function isWebhookError(thrown: unknown): thrown is WebhookError {
  return thrown instanceof Error && thrown.name === 'WebhookError';
}

/** Answers what is proven, or throws a {@link WebhookError}. */
export function verifyWebhook(request: WebhookRequest, check: WebhookCheck): VerifiedWebhook {
  const { headers, body } = request;
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw new TypeError(
      'verifyWebhook needs the body as it came, as text or bytes: JSON that is parsed cannot be proven',
    );
  }
  const keys = [check.secret].flat().map(keyOf);
  if (keys.length === 0) throw webhookError('secret-invalid', 'verifyWebhook was given no secret');
  const id = header(headers, 'webhook-id');
  const sentAtSeconds = readSeconds(header(headers, 'webhook-timestamp'));
  const signatures = header(headers, 'webhook-signature').split(' ');
  refuseOld(sentAtSeconds, check);
  const expected = keys.map((key) => signWebhook({ id, sentAtSeconds, body }, key));
  // All are compared, so that the time it takes does not say which one fits.
  const fitting = signatures.filter((given) => expected.filter((ours) => isSame(given, ours)).length > 0);
  if (fitting.length === 0)
    throw webhookError('not-signed', 'no signature is of this webhook and made with this secret');
  return { id, sentAt: new Date(sentAtSeconds * 1_000), payload: parsePayload(body) };
}

/** `unknown`: in JavaScript a variable of the environment that is not set comes as undefined. */
function keyOf(secret: unknown): Uint8Array {
  if (typeof secret !== 'string') throw webhookError('secret-invalid', 'the secret given to verifyWebhook is no text');
  const key = webhookKey(secret);
  if (isProblem(key)) throw webhookError('secret-invalid', key.problem);
  return key;
}

function header(headers: WebhookRequest['headers'], name: string): string {
  const value =
    headers instanceof Headers
      ? headers.get(name)
      : Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
  const text = [value ?? ''].flat().join(' ').trim();
  if (text === '') throw webhookError('header-missing', `the header ${name} is missing`);
  return text;
}

function readSeconds(text: string): number {
  if (!/^\d{1,12}$/.test(text))
    throw webhookError('header-invalid', 'the header webhook-timestamp is no whole number of seconds');
  return Number(text);
}

function refuseOld(sentAtSeconds: number, { toleranceSeconds = 300, now = Date.now }: WebhookCheck): void {
  const age = Math.floor(now() / 1_000) - sentAtSeconds;
  if (age > toleranceSeconds) throw webhookError('too-old', `the webhook was sent ${age} s ago`);
  if (age < -toleranceSeconds)
    throw webhookError('too-new', `the webhook was sent ${-age} s from now: a clock is wrong`);
}

function isSame(given: string, ours: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(ours)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function parsePayload(body: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8'));
  } catch {
    throw webhookError('not-json', 'the body of the webhook is not JSON');
  }
}

function webhookError(code: Fault, message: string): WebhookError {
  return Object.assign(new Error(message), { name: 'WebhookError' as const, code });
}
