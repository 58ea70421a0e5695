// Messages as the parse stage stores them, told apart by their number: some hundred mailboxes and senders, the header fields that
// mail has.
import { seeded, wordAt } from '#bench/load/vocabulary.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import { receivedAtOf } from '#mail/header/message-id.ts';
import { type InboxMessage, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';

const wordsOfText = 180;
const sha256 = '0'.repeat(64);

/** A message of about 1.2 KB of text; `n` counts from 0. */
export function sampleStoredMessage(n: number, id: MessageId): InboxMessage {
  const random = seeded(n + 1);
  const receivedAt = receivedAtOf(id);
  const sender = `person${n % 997}@sender${n % 31}.example`;
  const localPart = `box${n % 211}`;
  const to = `${localPart}@bench.example`;
  const subject = `${wordAt(random())} invoice ${n} ${wordAt(random())}`;
  const text = Array.from({ length: wordsOfText }, () => wordAt(random())).join(' ');
  const isForged = n % 50 === 0;
  const result = isForged ? 'fail' : 'pass';
  const headers = Object.entries({
    Received: `from mail.${sender} by mx.bench.example with ESMTPS id ${id}; ${receivedAt}`,
    'DKIM-Signature': `v=1; a=rsa-sha256; d=${sender}; s=s1; h=from:to:subject; bh=${hexOf(random)}; b=${hexOf(random)}`,
    From: `Person ${n % 997} <${sender}>`,
    To: to,
    Subject: subject,
    'Message-ID': `<${n}.${id}@${sender}>`,
    'X-Campaign': `spring-${n % 500}`,
    'MIME-Version': '1.0',
    'Content-Type': 'text/plain; charset=utf-8',
  }).map(([name, value]) => ({ name, raw: ` ${value}`, value }));
  const attachment = { contentType: 'application/pdf', bytes: 2_000_000, sha256, contentId: null, inline: false };
  return inboxMessageSchema.parse({
    schema: 'inbox-message/1',
    id,
    receivedAt,
    mailbox: { domain: 'bench.example', localPart, tag: null },
    envelope: { reversePath: sender, forwardPath: to },
    session: { role: 'mx', clientIp: '192.0.2.7', clientName: null, helo: null, tls: null, user: null },
    authentication: {
      spf: { result, domain: null, reason: 'bench' },
      dkim: [],
      dmarc: { result, domain: null, policy: null, aligned: { spf: !isForged, dkim: false }, reason: 'bench' },
      arc: { result: 'none', instances: 0, reason: 'no ARC set' },
      results: `mx.bench.example; spf=${result}`,
      evidence: [],
    },
    disposition: { action: 'accept', reason: 'bench' },
    headers,
    messageId: `<${n}.${id}@${sender}>`,
    date: receivedAt,
    subject,
    from: [{ name: `Person ${n % 997}`, address: sender, group: null }],
    to: [{ name: '', address: to, group: null }],
    cc: [],
    replyTo: [],
    inReplyTo: null,
    references: [],
    text,
    html: null,
    attachments: n % 20 === 0 ? [{ ...attachment, filename: `invoice-${n}.pdf`, key: `attachments/${id}/1` }] : [],
    raw: { key: `raw/${id}.eml`, bytes: n % 20 === 0 ? 2_700_000 : 2_500, sha256 },
    problems: [],
  });
}

function hexOf(random: () => number): string {
  return Array.from({ length: 8 }, () => Math.floor(random() * 2 ** 32).toString(36)).join('');
}
