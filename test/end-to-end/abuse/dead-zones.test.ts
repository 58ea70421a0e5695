// Mail from zones whose DNS never answers, through `npm start`: other mail does not wait for it, and none of it is lost.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { stages, windowSeconds } from '#pipeline/contract/stages.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { startScriptedDns } from '#test/support/peers/scripted-dns.ts';
import { idIn } from '#test/support/peers/send-many.ts';
import { sharedStopwatch } from '#test/support/time/stopwatch.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import {
  allMessages,
  drained,
  eventually,
  type LocalService,
  startLocalService,
} from '#test/support/worlds/local-service.ts';

const neighbours = 40;
const everyMs = 60;
const aloneMs = 1_500;
/** On AWS, and so in the emulator, a message waits besides while each stage gathers a batch. */
const windowsMs = 1_000 * (windowSeconds(stages.authenticate) + windowSeconds(stages.parse));

/** Of a few dead zones, each of another, and each with a sender that is well but a signer and an author that are not. */
const flood: readonly ((n: number) => { readonly from: string; readonly header: string })[] = [
  (n) => ({ from: `x${n}@zone${n % 5}.dead.test`, header: `From: x@zone${n % 5}.dead.test\r\n` }),
  (n) => ({ from: `x@random${n}.dead.test`, header: `From: x@random${n}.dead.test\r\n` }),
  (n) => ({
    from: `x@fine${n}.sender.example`,
    header: `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=key${n}.dead.test; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\nFrom: x@author${n}.dead.test\r\n`,
  }),
];

const worlds = [
  { world: 'embedded', count: 300, temperrorRetrySeconds: [1], boundMs: aloneMs },
  { world: 'emulator', count: 30, temperrorRetrySeconds: [], boundMs: windowsMs + aloneMs },
] as const;

for (const { world, count, temperrorRetrySeconds, boundMs } of worlds) {
  test(`beside ${count} mails from dead zones other mail is there within ${boundMs / 1_000} s, and none of them is lost (${world})`, async (t) => {
    const service = await startBeside(t, { world, temperrorRetrySeconds });
    const stored = watchStored(service, t);
    const sendFlood = async (first: number): Promise<void> => {
      const smtp = await rawSmtp(service.ports.mx);
      await smtp.command('EHLO mx.sender.example');
      for (let n = first; n < count; n += 10) {
        const { from, header } = flood[n % flood.length]!(n);
        const content = Buffer.from(`${header}\r\nbody\r\n`);
        assert.match(await sendRaw(smtp, { from, to: ['bob@receiver.example'], content }), /^250/);
      }
      smtp.close();
    };
    const flooded = Promise.all(Array.from({ length: 10 }, (_, first) => sendFlood(first)));
    const times = await sendNeighbours(service, stored);
    await flooded;
    const sorted = [...times].sort((a, b) => a - b);
    const late = sorted.filter((ms) => ms > boundMs).length;
    t.diagnostic(`p50 ${Math.round(sorted[neighbours / 2]!)} ms, last ${Math.round(sorted.at(-1)!)} ms, ${late} late`);
    assert.ok(late <= 1, `${late} of ${neighbours} neighbours took longer than ${boundMs} ms`);
    await drained(service, 60);
    const all = await allMessages(service);
    assert.equal(all.length, count + neighbours);
    const { authentication } = await service.json(`/api/messages/${all.find(({ subject }) => subject === null).id}`);
    const words = [authentication.spf, ...authentication.dkim, authentication.dmarc].map(({ result }) => result);
    assert.ok(words.includes('temperror'), words.join());
    assert.ok(authentication.evidence.some(({ outcome }: any) => outcome.code === 'ETIMEOUT'));
  });
}

test('a zone that answers every question late gets the verdict it would get if it answered at once', async (t) => {
  const texts = {
    'slow.example': 'v=spf1 include:spf.slow.test -all',
    'spf.slow.test': 'v=spf1 ip4:127.0.0.1 -all',
    '_dmarc.slow.example': 'v=DMARC1; p=reject',
  };
  const dns = await startScriptedDns((name) => (name.includes('slow.') ? 1_400 : 2), texts);
  const folder = temporaryFolder();
  t.after(() => {
    dns.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const config = { dns: { servers: [dns.server], timeoutSeconds: 4, temperrorRetrySeconds: [] } };
  const service = await startLocalService(t, { folder, config });
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  // Ordinary answers come first: c-ares is impatient once it knows how quick its server is.
  for (let n = 0; n < 5; n += 1) {
    const content = Buffer.from(`From: n@quick${n}.example\r\n\r\nhello\r\n`);
    await sendRaw(smtp, { from: `n@quick${n}.example`, to: ['bob@receiver.example'], content });
  }
  const content = Buffer.from('From: ann@slow.example\r\n\r\nhello\r\n');
  const id = idIn(await sendRaw(smtp, { from: 'ann@slow.example', to: ['bob@receiver.example'], content }));
  smtp.close();
  const message = await eventually('it is there', async () => {
    const answer = await service.json(`/api/messages/${id}`);
    return answer.error === undefined ? answer : null;
  });
  const { spf, dmarc } = message.authentication;
  assert.deepEqual([spf.result, dmarc.result], ['pass', 'pass'], spf.reason);
});

async function startBeside(
  t: TestContext,
  { world, temperrorRetrySeconds }: Pick<(typeof worlds)[number], 'world' | 'temperrorRetrySeconds'>,
): Promise<LocalService> {
  const dns = await startScriptedDns((name) => (name.endsWith('.dead.test') ? null : 2));
  const folder = temporaryFolder();
  t.after(() => {
    dns.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const limits = { connectionsPerIp: 500, messagesPerMinutePerIp: 100_000 };
  const config = {
    limits,
    dns: { servers: [dns.server], timeoutSeconds: 2, temperrorRetrySeconds: [...temperrorRetrySeconds] },
  };
  return startLocalService(t, { folder, config, args: ['--world', world] });
}

/** When each message's JSON was there, by id, as a consumer of the event stream sees it. */
function watchStored(service: LocalService, t: TestContext): ReadonlyMap<string, number> {
  const storedAt = new Map<string, number>();
  const abort = new AbortController();
  t.after(() => abort.abort());
  const read = async (): Promise<void> => {
    const events = await fetch(`${service.http}/api/events`, { signal: abort.signal });
    let text = '';
    for await (const chunk of events.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const whole = text.lastIndexOf('\n\n');
      for (const [, id = ''] of text.slice(0, Math.max(0, whole)).matchAll(/"id":"([0-9A-Z]{26})"/g)) {
        storedAt.set(id, performance.now());
      }
      if (whole >= 0) text = text.slice(whole);
    }
  };
  read().catch(() => undefined);
  return storedAt;
}

/** Sends one after the other, and answers how long each took from its 250 to its JSON, by the part of the machine we had. */
async function sendNeighbours(service: LocalService, stored: ReadonlyMap<string, number>): Promise<readonly number[]> {
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.neighbour.example');
  const accepted = new Map<string, number>();
  const elapsed = sharedStopwatch();
  const from = performance.now();
  for (let n = 0; n < neighbours; n += 1) {
    const content = Buffer.from(`From: n@neighbour.example\r\nSubject: ${n}\r\n\r\nhello\r\n`);
    const reply = await sendRaw(smtp, { from: 'n@neighbour.example', to: ['ann@receiver.example'], content });
    accepted.set(idIn(reply), performance.now());
    await pause(everyMs);
  }
  smtp.close();
  await eventually('the neighbours are there', () => [...accepted.keys()].every((id) => stored.has(id)));
  const ours = elapsed() / (performance.now() - from);
  return [...accepted].map(([id, at]) => Math.max(0, stored.get(id)! - at) * ours);
}
