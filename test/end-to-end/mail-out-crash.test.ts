// kill -9 in the middle of 2,000 deliveries: after the restart every message is delivered, and doubled is only what a host
// had taken on a connection that the kill cut, the last of it at most.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CountingMx, startCountingMx } from '#test/support/counting-mx.ts';
import { drained, eventually } from '#test/support/local-service.ts';
import { peerOptions } from '#test/support/peers.ts';
import { rawSmtp, sendRaw } from '#test/support/raw-smtp.ts';
import { login, type SendingService, startSending } from '#test/support/sending-service.ts';

const messages = 2_000;
const domains = Array.from({ length: 8 }, (_, n) => `d${n}.test`);

test(
  'kill -9 during 2,000 deliveries loses none, and doubles at most one a connection',
  peerOptions('dnsmasq'),
  async (t) => {
    const mx = await startCountingMx({ ip: '127.0.6.1', closed: true });
    const first = await startSending({
      port: mx.port,
      zone: { a: Object.fromEntries(domains.map((domain) => [domain, '127.0.6.1'])) },
      config: { delivery: { attemptSeconds: 60 } },
    });
    let service: SendingService = first;
    t.after(async () => {
      await service.close();
      await mx.close();
    });
    const subjects = await submitAll(first, messages);
    mx.open();
    await eventually('a good part is delivered', () => mx.count() > messages / 3);
    await first.kill();
    const before = new Map(mx.bySubject);
    assert.ok(mx.count() < messages - 100, `it was killed in the middle, after ${mx.count()}`);
    service = await first.restart();
    await drained(service, 60);
    await judge(mx, { subjects, before });
    const health = await service.json('/api/queues');
    assert.deepEqual(
      health.map(({ dead }: any) => dead),
      [0, 0, 0],
    );
    let after: string | null = null;
    const states = new Map<string, number>();
    do {
      const page: any = await service.json(`/api/deliveries?limit=500${after === null ? '' : `&after=${after}`}`);
      for (const { state } of page.deliveries) states.set(state, (states.get(state) ?? 0) + 1);
      after = page.next;
    } while (after !== null);
    assert.deepEqual([...states], [['delivered', messages]]);
  },
);

test(
  'SIGTERM in the middle of deliveries: an orderly end, and every message is delivered exactly once',
  peerOptions('dnsmasq'),
  async (t) => {
    const mx = await startCountingMx({ ip: '127.0.6.2', closed: true });
    let service = await startSending({
      port: mx.port,
      zone: { a: Object.fromEntries(domains.map((domain) => [domain, '127.0.6.2'])) },
      config: { delivery: { attemptSeconds: 60 } },
    });
    t.after(async () => {
      await service.close();
      await mx.close();
    });
    const subjects = await submitAll(service, 600);
    mx.open();
    await eventually('some are delivered', () => mx.count() > 100);
    const from = performance.now();
    assert.equal(await service.stop(), 0);
    assert.ok(performance.now() - from < 10_000);
    assert.ok(mx.count() < 600, `it was stopped in the middle, after ${mx.count()}`);
    service = await service.restart();
    await drained(service, 60);
    assert.deepEqual(
      subjects.filter((subject) => mx.bySubject.get(subject) !== 1),
      [],
    );
  },
);

async function judge(
  mx: CountingMx,
  { subjects, before }: { subjects: readonly string[]; before: ReadonlyMap<string, number> },
): Promise<void> {
  for (const subject of subjects) assert.ok((mx.bySubject.get(subject) ?? 0) >= 1, `${subject} is delivered`);
  const doubled = subjects.filter((subject) => (mx.bySubject.get(subject) ?? 0) > 1);
  const inFlight = new Set(mx.lastOfBroken());
  for (const subject of doubled) {
    assert.equal(mx.bySubject.get(subject), 2, subject);
    assert.ok(before.has(subject) && inFlight.has(subject), `${subject} was the last on a connection that was cut`);
  }
  assert.ok(doubled.length <= 40, `${doubled.length} doubled`);
}

/** Submits all over a few connections, each to be acknowledged; their subjects. */
async function submitAll({ ports }: SendingService, messages: number): Promise<readonly string[]> {
  const subjects: string[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    const smtp = await rawSmtp(ports.submissions, { tls: true });
    await smtp.command('EHLO client.sender.example');
    await smtp.command(`AUTH PLAIN ${Buffer.from(`\0${login.user}\0${login.password}`).toString('base64')}`);
    while (next < messages) {
      const n = next++;
      const content = Buffer.from(`From: <${login.user}>\r\nSubject: n${n}\r\n\r\nHello.\r\n`);
      const said = await sendRaw(smtp, { from: login.user, to: [`x@${domains[n % domains.length]}`], content });
      assert.match(said, /^250/);
      subjects.push(`n${n}`);
    }
    smtp.close();
  };
  await Promise.all(Array.from({ length: 16 }, work));
  return subjects;
}
