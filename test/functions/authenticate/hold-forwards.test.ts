// Forged mail does not leave by an alias.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import { mailboxRecipient, noDsn, runStage } from './run-stage.ts';

const forward = (forwardPath: string, ...to: string[]): ReceivedJob['envelope']['recipients'][number] => ({
  forwardPath,
  dsn: noDsn,
  route: { kind: 'forward', to },
});
const ours = { domains: { 'ours.example': { aliases: { info: ['boss@elsewhere.example'] } } } };
const rejecting = { '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] } };

test('a message that is quarantined is not forwarded: it lands in the quarantine of the alias', async () => {
  const recipients = [forward('Info+x@ours.example', 'boss@elsewhere.example')];
  const { jobs } = await runStage({ config: ours, zone: rejecting, job: { recipients } });
  assert.deepEqual(jobs.of('deliver'), []);
  const [job] = jobs.of('parse');
  assert.equal(job?.disposition.action, 'quarantine');
  assert.deepEqual(
    job?.envelope.recipients.map(({ mailbox }) => mailbox),
    [{ domain: 'ours.example', localPart: 'info', tag: 'x' }],
  );
});

test('where the alias leads to a mailbox too, the quarantine of that mailbox is enough', async () => {
  const inside = { ...mailboxRecipient('bob'), forwardPath: 'info@ours.example' };
  const recipients = [inside, forward('info@ours.example', 'boss@elsewhere.example')];
  const { jobs } = await runStage({ config: ours, zone: rejecting, job: { recipients } });
  assert.deepEqual(jobs.of('deliver'), []);
  assert.deepEqual(
    jobs.of('parse').flatMap((job) => job.envelope.recipients.map(({ mailbox }) => mailbox.localPart)),
    ['bob'],
  );
});

test('a domain that accepts what fails DMARC forwards it too', async () => {
  const recipients = [forward('info@ours.example', 'boss@elsewhere.example')];
  const config = { domains: { 'ours.example': { ...ours.domains['ours.example'], onDmarcFail: 'accept' as const } } };
  const { jobs } = await runStage({ config, zone: rejecting, job: { recipients } });
  assert.equal(jobs.of('deliver').length, 1);
  assert.deepEqual(jobs.of('parse'), []);
});
