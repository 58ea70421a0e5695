// What a webhook gets: `{type, timestamp, data}` as Standard Webhooks say, with the inbox message itself as data, or a link to it if it
// is large; and the headers that prove it.
import { createHash } from 'node:crypto';
import type { NotifyJob } from '#pipeline/contract/jobs.ts';
import { messageLinkVersion } from '#pipeline/contract/message-link.ts';
import type { LinkTo } from '#pipeline/contract/ports.ts';
import { signWebhook } from '#pipeline/contract/webhook-signature.ts';

/** Above this a link is sent, where links can be made: many receivers take no larger bodies. */
const mostInlineBytes = 262_144;

export const webhookType = 'mail.stored';

/** `json`: the inbox message as it is stored. */
export async function webhookBody(
  { key, createdAt }: NotifyJob,
  json: Uint8Array,
  linkTo: LinkTo | null,
): Promise<Uint8Array> {
  const before = `{"type":"${webhookType}","timestamp":${JSON.stringify(createdAt)},"data":`;
  if (linkTo === null || json.length <= mostInlineBytes)
    return Buffer.concat([Buffer.from(before), json, Buffer.from('}')]);
  const link = { schema: messageLinkVersion, key, bytes: json.length, ...(await linkTo(key)) };
  return Buffer.from(`${before}${JSON.stringify(link)}}`);
}

/** The same for each attempt of one hook for one message in one mailbox: receivers tell duplicates by it. */
export function webhookId({ id, key, hook }: Pick<NotifyJob, 'id' | 'key' | 'hook'>): string {
  const of = createHash('sha256').update(`${hook}\n${key}`).digest('hex').slice(0, 16);
  return `msg_${id}_${of}`;
}

/** `sentAtMs`: of this attempt. */
export function webhookHeaders(
  job: NotifyJob,
  { body, key, sentAtMs }: { readonly body: Uint8Array; readonly key: Uint8Array; readonly sentAtMs: number },
): Readonly<Record<string, string>> {
  const id = webhookId(job);
  const sentAtSeconds = Math.floor(sentAtMs / 1_000);
  return {
    'content-type': 'application/json',
    'user-agent': 'Pillarbox',
    'webhook-id': id,
    'webhook-timestamp': String(sentAtSeconds),
    'webhook-signature': signWebhook({ id, sentAtSeconds, body }, key),
  };
}
