// Webhooks are signed as Standard Webhooks says (standardwebhooks.com, version 1): HMAC-SHA256 over `id.timestamp.body`.
import { createHmac } from 'node:crypto';
import { type Problem, problem } from '#mail/problem.ts';

/** What is signed: the webhook's id, when it was sent (whole seconds since 1970) and its body as it is on the wire. */
export type SignedWebhook = { readonly id: string; readonly sentAtSeconds: number; readonly body: string | Uint8Array };

/** The key of a secret: base64, with or without `whsec_` before it. The Problem does not tell the secret. */
export function webhookKey(secret: string): Uint8Array | Problem {
  const text = secret.trim().replace(/^whsec_/, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return problem('a webhook secret is base64, as in "whsec_…"');
  return Buffer.from(text, 'base64');
}

/** The signature, as it stands in the header `webhook-signature`: `v1,<base64>`. */
export function signWebhook({ id, sentAtSeconds, body }: SignedWebhook, key: Uint8Array): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${sentAtSeconds}.`).update(body).digest('base64')}`;
}
