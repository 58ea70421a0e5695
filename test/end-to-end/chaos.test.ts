// Chaos with real senders: nodemailer and swaks against a capture server, and our own delivery stage, which must come through all of it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import nodemailer from 'nodemailer';
import { findPeer, peerOptions } from '#test/support/peers/peers.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import {
  allMessages,
  eventually,
  type LocalService,
  spawnService,
  startLocalService,
} from '#test/support/worlds/local-service.ts';
import { startSending } from '#test/support/worlds/sending-service.ts';

const run = promisify(execFile);
const cli = join(import.meta.dirname, '../../cli/main.ts');
const folder = temporaryFolder();
const capture = await startLocalService({ after: (end: any) => after(end) }, { folder, args: ['--chaos', 'on'] });
after(() => rmSync(folder, { recursive: true, force: true }));

const put = (service: Pick<LocalService, 'json'>, body: unknown) =>
  service.json('/api/chaos', {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const pillarbox = async (...args: string[]): Promise<string> => {
  const { stdout } = await run(process.execPath, [cli, ...args, '--url', capture.http]);
  return stdout;
};

/** The captured message to an address, with its trace. */
async function captured(address: string): Promise<any> {
  const [domain, localPart] = address.split('@').reverse();
  return eventually(`a message for ${address}`, async () => {
    const all = await capture.json(`/api/messages?mailbox=${encodeURIComponent(`${localPart}@${domain}`)}`);
    const [message] = all.messages;
    return message === undefined
      ? null
      : { ...message, trace: await capture.json(`/api/messages/${message.id}/trace`) };
  });
}

describe('a program sends', () => {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: capture.ports.mx, ignoreTLS: true });
  const send = (to: string) => transport.sendMail({ from: 'app@shop.example', to, subject: 'hi', text: 'hello' });

  for (const [to, fault] of [
    ['bounce-550@shop.example', { responseCode: 550, command: 'RCPT TO', code: 'EENVELOPE' }],
    ['data-552@shop.example', { responseCode: 552, command: 'DATA', code: 'EENVELOPE' }],
    ['bounce-554-end@shop.example', { responseCode: 554, code: 'EMESSAGE' }],
    ['drop@shop.example', { code: 'ECONNECTION' }],
    ['drop-end@shop.example', { code: 'ECONNECTION' }],
  ] as const) {
    test(`nodemailer to ${to} fails with ${JSON.stringify(fault)}`, async () => {
      const error = await send(to).then(
        () => null,
        (thrown: any) => thrown,
      );
      const seen = Object.fromEntries(Object.keys(fault).map((name) => [name, error?.[name]]));
      assert.deepEqual(seen, fault, error?.message);
      if ('responseCode' in fault) assert.match(error.response, /Chaos: refused on purpose/);
    });
  }

  test('swaks is told the reply and its enhanced code', peerOptions('swaks'), async () => {
    const args = ['--server', `127.0.0.1:${capture.ports.mx}`, '--from', 'a@shop.example'];
    const { stdout, code } = await run(findPeer('swaks') ?? '', [
      ...args,
      '--to',
      'bounce-552-5.2.2@shop.example',
    ]).then(
      ({ stdout: out }) => ({ stdout: out, code: 0 }),
      (error: any) => ({ stdout: String(error.stdout), code: error.code }),
    );
    assert.match(stdout, /<\*\* 552 5\.2\.2 Chaos: refused on purpose, as bounce-552-5\.2\.2 asks/);
    assert.equal(code, 24); // what swaks says of a recipient that is refused
  });

  test('later-451-once gets in with the second try, and the trace tells of the first', async () => {
    await assert.rejects(send('later-451-once@shop.example'), /451 4\.3\.0 Chaos/);
    await send('later-451-once@shop.example');
    const { trace } = await captured('later-451-once@shop.example');
    const [fault, received] = trace.events;
    assert.deepEqual([fault.event, received.event], ['fault', 'received']);
    assert.match(fault.text, /^chaos: RCPT of <later-451-once@shop\.example> was answered 451 4\.3\.0 /);
  });
});

test('our own delivery stage retries what is refused for now or cut off, bounces what is refused for good, and delivers once', async () => {
  const sending = await startSending({
    config: {
      delivery: {
        mode: 'smarthost',
        smarthost: { host: '127.0.0.1', port: capture.ports.mx, tls: 'none' },
        attemptSeconds: 10,
      },
    },
  });
  after(() => sending.close());
  assert.equal((await put(sending, { words: 'on' })).error.code, 'not-capture'); // it serves
  const kinds = { twice: 'later-451-twice', cut: 'drop-end-1x', slow: 'slow-1s-end', never: 'bounce-550' } as const;
  const submitted = Object.entries(kinds).map(async ([kind, localPart]) => {
    const to = `${localPart}@${kind}.example`;
    const id = await sending.submit({ to: [to] });
    const record = await sending.whenDelivery(id, kind === 'never' ? 'bounced' : 'delivered');
    return { kind, to, record };
  });
  for (const { kind, to, record } of await Promise.all(submitted)) {
    const outcomes = record.attempts.length;
    assert.equal(
      outcomes,
      { twice: 3, cut: 2, slow: 1, never: 1 }[kind],
      `${kind}: ${JSON.stringify(record.attempts)}`,
    );
    if (kind === 'never') continue;
    const { trace } = await captured(to);
    const faults = trace.events.filter(({ event }: any) => event === 'fault');
    assert.equal(faults.length, { twice: 2, cut: 1, slow: 1 }[kind], kind);
  }
  const all = await allMessages(capture);
  for (const kind of ['twice', 'cut', 'slow']) {
    assert.equal(all.filter(({ mailbox }: any) => JSON.stringify(mailbox).includes(`${kind}.example`)).length, 1, kind);
  }
  const [bounce] = await sending.whenInbox('app', 1);
  assert.match(bounce.text, /Chaos: refused on purpose, as\s+bounce-550 asks/);
  assert.equal(bounce.envelope.reversePath, '');
});

test('the API and the command line set chances, and show what is in force and what was done', async () => {
  const set = await put(capture, { settings: { stages: { mail: [{ percent: 100, reply: 452 }] } } });
  assert.deepEqual({ words: set.words, from: set.from }, { words: 'mail-452-100%', from: 'set' });
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: capture.ports.mx, ignoreTLS: true });
  const send = () => transport.sendMail({ from: 'app@shop.example', to: 'ann@shop.example', text: 'hello' });
  await assert.rejects(send(), /452 4\.3\.1 Chaos/);
  assert.equal(
    await pillarbox('chaos', 'set', 'drop-rcpt', 'seed-7'),
    'chaos: drop-rcpt-100% seed-7 (until the server ends)\n',
  );
  await assert.rejects(send(), { code: 'ECONNECTION' });
  const shown = await pillarbox('chaos', '--limit', '2');
  assert.match(shown, /^chaos: drop-rcpt-100% seed-7 \(until the server ends\)$/m);
  assert.match(shown, /rcpt +dropped +ann@shop\.example +- +by a chance of 100 %/);
  assert.match(shown, /mail +452 4\.3\.1 +from <app@shop\.example> +- +by a chance of 100 %/);
  const { error } = await put(capture, { words: 'rcpt-250' });
  assert.equal(error.code, 'bad-body');
  assert.match(error.message, /"250" is none of/);
  assert.match((await put(capture, {})).error.message, /expected either words or settings/);
  assert.match((await put(capture, { settings: { seed: -1 } })).error.message, /^settings\.seed: /);
  assert.equal((await put(capture, { settings: null })).words, 'off');
  await send();
  assert.equal(await pillarbox('chaos', 'set', 'on'), 'chaos: on (until the server ends)\n');
  assert.equal((await put(capture, { words: 'off' })).words, 'off', 'what the answer has may be given');
});

test('a service that serves does not start with --chaos', async (t) => {
  const other = temporaryFolder();
  t.after(() => rmSync(other, { recursive: true, force: true }));
  const config = { mode: 'serve', hostname: 'mx.shop.com', listeners: [{ role: 'mx', port: 0 }] } as const;
  const { exited, errors } = spawnService({
    folder: other,
    config: { ...config, listeners: [...config.listeners] },
    args: ['--chaos', 'on'],
  });
  const [code] = await exited;
  assert.equal(code, 1);
  assert.match(errors(), /--chaos \(PILLARBOX_CHAOS\) is for capture mode/);
});
