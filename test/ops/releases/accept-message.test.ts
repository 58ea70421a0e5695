// Asking for a message to be released from quarantine: which jobs that makes, and what is said if there is nothing to release.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAcceptMessage } from '#ops/releases/accept-message.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { createMemoryJobs } from '#test/support/fakes/memory-jobs.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { sampleId, sampleMessage } from '#test/support/samples/sample-message.ts';

const now = Date.parse('2025-11-21T05:00:00.000Z');
const id = sampleId();
const failed = { action: 'quarantine', reason: 'DMARC fails' } as const;

/** One message in the quarantine of these mailboxes. */
function world(mailboxes: readonly string[]) {
  const store = createMemoryStore(() => now);
  const admin = { findMessage: async () => [...store.keys('inbox/'), ...store.keys('quarantine/')] };
  const jobs = createMemoryJobs();
  const put = (address: string, changes: Partial<InboxMessage> = {}) => {
    const [localPart = '', domain = ''] = address.split('@');
    const mailbox = { domain, localPart, tag: null };
    const envelope = { reversePath: 'bob@b.example', forwardPath: address };
    const message = sampleMessage({ mailbox, envelope, disposition: failed, ...changes });
    const folder = message.disposition.action === 'accept' ? 'inbox' : 'quarantine';
    const key = messageKey(folder, { ...mailbox, id, receivedAt: message.receivedAt });
    store.seed(key, JSON.stringify(message));
    store.seed(message.raw.key, 'Subject: Hello\r\n\r\nHello\r\n');
    return { key, message };
  };
  const copies = mailboxes.map((address) => put(address));
  const accept = createAcceptMessage({ admin, store, jobs, clock: () => now });
  return { store, jobs, put, copies, accept: (only: string | null = null) => accept({ id, only, by: '127.0.0.1' }) };
}

test('one job for all its mailboxes, with the verdict and envelope that the quarantined JSON has', async () => {
  const { jobs, copies, accept } = world(['ann@a.example', 'info+x@b.example']);
  const mailboxes = ['ann@a.example', 'info+x@b.example'];
  assert.deepEqual(await accept(), { outcome: 'queued', mailboxes });
  const [job] = jobs.of('parse');
  const { message } = copies[0]!;
  assert.equal(jobs.sent.length, 1);
  assert.deepEqual([job?.id, job?.receivedAt, job?.raw], [id, message.receivedAt, message.raw]);
  assert.deepEqual([job?.envelope.session, job?.envelope.reversePath], [message.session, 'bob@b.example']);
  assert.deepEqual(
    job?.envelope.recipients,
    copies.map(({ message: { mailbox, envelope } }) => ({
      forwardPath: envelope.forwardPath,
      dsn: { notify: null, orcpt: null },
      mailbox,
    })),
  );
  assert.deepEqual(job?.authentication, message.authentication);
  const released = { at: '2025-11-21T05:00:00.000Z', by: '127.0.0.1' };
  assert.deepEqual(job?.disposition, { action: 'accept', reason: 'DMARC fails', released });
});

test('copies that were withheld for several reasons are several jobs, and more than 200 of one reason, too', async () => {
  const names = Array.from({ length: 201 }, (_, n) => `m${n}@a.example`);
  const { jobs, put, accept } = world(names);
  put('ann@b.example', { disposition: { action: 'quarantine', reason: 'another reason' } });
  await accept();
  const sizes = jobs.of('parse').map(({ envelope, disposition }) => [disposition.reason, envelope.recipients.length]);
  assert.deepEqual(sizes.sort(), [
    ['DMARC fails', 1],
    ['DMARC fails', 200],
    ['another reason', 1],
  ]);
});

test('one mailbox alone; asked again when it is in the inbox, nothing is done', async () => {
  const { store, jobs, put, copies, accept } = world(['ann@a.example', 'bob@a.example']);
  assert.deepEqual(await accept('bob@a.example'), { outcome: 'queued', mailboxes: ['bob@a.example'] });
  put('bob@a.example', { disposition: { action: 'accept', reason: 'DMARC fails' } });
  await store.delete(copies[1]!.key);
  assert.deepEqual(await accept('bob@a.example'), { outcome: 'in-inbox', mailboxes: ['bob@a.example'] });
  assert.equal(jobs.sent.length, 1);
  assert.deepEqual(await accept(), { outcome: 'queued', mailboxes: ['ann@a.example'] });
});

test('what is in both, since a run ended in between, is asked for again', async () => {
  const { jobs, put, accept } = world(['ann@a.example']);
  put('ann@a.example', { disposition: { action: 'accept', reason: 'DMARC fails' } });
  assert.equal((await accept()).outcome, 'queued');
  assert.equal(jobs.sent.length, 1);
});

test('what was deleted cannot be released, nor what has lost its bytes', async () => {
  const { store, jobs, copies, accept } = world(['ann@a.example']);
  const { key, message } = copies[0]!;
  await store.delete(message.raw.key);
  const refused = await accept();
  assert.match(
    `${refused.outcome} ${'reason' in refused ? refused.reason : ''}`,
    /^refused its bytes are not stored any more/,
  );
  assert.deepEqual(await accept('other@a.example'), { outcome: 'gone' });
  await store.delete(key);
  assert.deepEqual(await accept(), { outcome: 'gone' });
  assert.equal(jobs.sent.length, 0);
});
