// What follows from a webhook's answer, and when a hook is told again. Pure.
import { hookTriedMs } from '#pipeline/contract/retention.ts';
import type { WebhookAnswer } from './call-webhook.ts';

/** `answered`: the status of a webhook; null for a program, of which `said` is the beginning of what it wrote. `gone`: it asks to be told no more (410). `failed`: it is told again; `afterMs`: not before, if it asks for that. */
export type Judged =
  | { readonly outcome: 'told'; readonly said: string; readonly answered: number | null }
  | { readonly outcome: 'gone'; readonly reason: string }
  | { readonly outcome: 'failed'; readonly reason: string; readonly afterMs: number };

/** Ten seconds to an hour; then hourly. */
const waitsSeconds = [10, 60, 300, 900, 1_800, 3_600] as const;
const longestAskedMs = 21_600_000;
const jitter = 0.1;
const maxTextChars = 200;

/** Standard Webhooks: 2xx is success, 410 means never again; all else, client errors and redirects too, is tried again. */
export function judgeAnswer(answer: WebhookAnswer, nowMs: number): Judged {
  if (answer.kind === 'failed') return { outcome: 'failed', reason: answer.reason, afterMs: 0 };
  const { status, text, retryAfter } = answer;
  if (status >= 200 && status < 300) return { outcome: 'told', said: '', answered: status };
  if (status === 410) return { outcome: 'gone', reason: 'it answered 410: it is to be told no more' };
  const redirect = status >= 300 && status < 400 ? ', and redirects are not followed' : '';
  const said = shown(text);
  const reason = `it answered ${status}${redirect}${said === '' ? '' : `: ${said}`}`;
  return { outcome: 'failed', reason, afterMs: askedMs(retryAfter, nowMs) };
}

/**
 * When the next attempt is (milliseconds since 1970); null if a day is over. `attempt`: the one that failed, from 1; `random`: 0 to 1.
 * The last attempt is at the end of the day.
 */
export function nextAttemptAt(
  { attempt, createdAt }: { readonly attempt: number; readonly createdAt: string },
  { nowMs, afterMs, random }: { readonly nowMs: number; readonly afterMs: number; readonly random: number },
): number | null {
  const endsAt = Date.parse(createdAt) + hookTriedMs;
  if (nowMs >= endsAt) return null;
  const seconds = waitsSeconds[attempt - 1] ?? waitsSeconds[waitsSeconds.length - 1] ?? 0;
  const waitMs = Math.max(seconds * 1_000 * (1 + jitter * (2 * random - 1)), afterMs);
  return Math.min(Math.round(nowMs + waitMs), endsAt);
}

/** Retry-After (RFC 9110 §10.2.3), at most six hours; 0 if it is missing or makes no sense. */
function askedMs(retryAfter: string | null, nowMs: number): number {
  if (retryAfter === null) return 0;
  const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - nowMs;
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), longestAskedMs);
}

/** One line without control characters: it goes into logs and to terminals. */
export function shown(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, maxTextChars);
}
