// A parse job around a message, and the stage run on it with fakes: what the tests of this folder share.
import { createHash } from 'node:crypto';
import { parse } from '#functions/parse/parse.ts';
import type { Parser } from '#functions/parse/worker/parser.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { type ParseJob, parseJobSchema } from '#pipeline/contract/jobs.ts';
import { type InboxMessage, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { createMemoryJobs } from '#test/support/fakes/memory-jobs.ts';
import { createMemoryStore, type MemoryStore } from '#test/support/fakes/memory-store.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { type Flat, nested } from '#test/support/samples/sample-jobs.ts';

export const receivedAt = '2026-11-21T08:00:00.000Z';
export const ids = ['01KAJ5Q8M0AAAAAAAAAAAAAAAA', '01KAJ5Q8M0BBBBBBBBBBBBBBBB'] as const;

/** A job for a message; `over` replaces what matters to a test. */
export function parseJob(bytes: Uint8Array, over: Partial<Flat<ParseJob>> = {}): ParseJob {
  const id = over.id ?? ids[0];
  const flat = {
    version: 2,
    id,
    receivedAt,
    raw: {
      key: `raw/2026/11/21/08/${id}.eml`,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    },
    session: {
      role: 'mx',
      clientIp: '192.0.2.1',
      clientName: null,
      helo: 'mail.sender.example',
      tls: null,
      user: null,
    },
    reversePath: 'alice@sender.example',
    bodyType: '8bitmime' as const,
    smtpUtf8: false,
    requireTls: false,
    dsn: { ret: null, envid: null },
    recipients: [
      {
        forwardPath: 'support@example.test',
        dsn: { notify: null, orcpt: null },
        mailbox: { domain: 'example.test', localPart: 'support', tag: null },
      },
    ],
    authentication: {
      spf: { result: 'none', domain: null, reason: 'no record' },
      dkim: [],
      dmarc: { result: 'none', domain: null, policy: null, aligned: { spf: false, dkim: false }, reason: 'no record' },
      arc: { result: 'none', instances: 0, reason: 'no sets' },
      results: 'mx.example.test; none',
      evidence: [],
    },
    disposition: { action: 'accept', reason: 'nothing speaks against it' },
    ...over,
  };
  return parseJobSchema.parse(nested<{ envelope: object }>(flat));
}

/** The dependencies of the stage with fakes around a real parser. */
export function parseDeps(
  parser: Pick<Parser, 'parse'>,
  store: MemoryStore = createMemoryStore(),
  config: ConfigInput = {},
) {
  const jobs = createMemoryJobs();
  return { store, config: fixedConfig(config), parser, jobs, clock: () => 0, log: silentLog(), metrics: noMetrics() };
}

/** Runs the stage over a message; answers the JSON that its one recipient gets, checked by the schema. */
export async function parsed(
  parser: Pick<Parser, 'parse'>,
  message: string | Uint8Array,
  config: ConfigInput = {},
): Promise<{ message: InboxMessage; store: MemoryStore; json: string }> {
  const bytes = typeof message === 'string' ? Buffer.from(message, 'utf8') : message;
  const deps = parseDeps(parser, createMemoryStore(), config);
  const job = parseJob(bytes);
  deps.store.seed(job.raw.key, bytes);
  await parse(deps, job, { receiveCount: 1 });
  const [key] = deps.store.keys('inbox/');
  const json = deps.store.text(key ?? '');
  return { message: inboxMessageSchema.parse(JSON.parse(json)), store: deps.store, json };
}
