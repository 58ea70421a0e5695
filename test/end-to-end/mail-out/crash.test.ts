// kill -9 in the middle of many deliveries: after the restart every message is delivered or bounced, told of once, and
// doubled is only what a host had taken on a connection that the kill cut, the last of it at most.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CountingMx, startCountingMx } from '#test/support/peers/counting-mx.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { amount } from '#test/support/time/soak.ts';
import { sharedStopwatch } from '#test/support/time/stopwatch.ts';
import { allMessages, drained, eventually } from '#test/support/worlds/local-service.ts';
import { login, type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

const messages = amount(400, 2_000);
const domains = Array.from({ length: 8 }, (_, n) => `d${n}.test`);

test(
  `kill -9 twice during ${messages} deliveries loses none, and doubles at most one a connection`,
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
    const { wanted, unwanted } = await submitAll(first, messages);
    mx.open();
    const before = new Map<string, number>();
    for (const part of [1 / 4, 2 / 4]) {
      await eventually('a part is delivered', () => mx.count() > messages * part);
      await service.kill();
      for (const [subject, times] of mx.bySubject) before.set(subject, times);
      assert.ok(mx.count() < messages - 100, `it was killed in the middle, after ${mx.count()}`);
      service = await service.restart();
    }
    await drained(service, 60);
    judge(mx, { subjects: wanted, before });
    const queues: any[] = await service.json('/api/queues');
    assert.deepEqual(
      queues.map(({ dead }) => dead),
      [0, 0, 0, 0, 0],
    );
    const deliveries = await allDeliveries(service);
    const ended = (state: string): any[] => deliveries.filter((one) => one.state === state);
    assert.deepEqual([ended('delivered').length, ended('bounced').length], [wanted.length, unwanted]);
    const told = ended('bounced').map(({ record }) => record.notices.map(({ id }: any) => id).join());
    const inbox = (await allMessages(service)).map(({ id }) => id);
    assert.deepEqual(inbox.sort(), told.sort(), 'one notification for each that bounced');
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
    const { wanted: subjects } = await submitAll(service, 300);
    mx.open();
    await eventually('some are delivered', () => mx.count() > 100);
    const elapsedMs = sharedStopwatch();
    assert.equal(await service.stop(), 0);
    assert.ok(elapsedMs() < 10_000);
    assert.ok(mx.count() < 300, `it was stopped in the middle, after ${mx.count()}`);
    service = await service.restart();
    await drained(service, 60);
    assert.deepEqual(
      subjects.filter((subject) => mx.bySubject.get(subject) !== 1),
      [],
    );
  },
);

function judge(
  mx: CountingMx,
  { subjects, before }: { subjects: readonly string[]; before: ReadonlyMap<string, number> },
): void {
  for (const subject of subjects) assert.ok((mx.bySubject.get(subject) ?? 0) >= 1, `${subject} is delivered`);
  const doubled = subjects.filter((subject) => (mx.bySubject.get(subject) ?? 0) > 1);
  const inFlight = new Set(mx.lastOfBroken());
  for (const subject of doubled) {
    assert.ok((mx.bySubject.get(subject) ?? 0) <= 3, `${subject}: once more for each kill at most`);
    assert.ok(before.has(subject) && inFlight.has(subject), `${subject} was the last on a connection that was cut`);
  }
  assert.ok(doubled.length <= 80, `${doubled.length} doubled`);
}

async function allDeliveries(service: SendingService): Promise<readonly any[]> {
  const all: any[] = [];
  let after: string | null = null;
  do {
    const page: any = await service.json(`/api/deliveries?limit=500${after === null ? '' : `&after=${after}`}`);
    all.push(...page.deliveries);
    after = page.next;
  } while (after !== null);
  return all;
}

/** Submits all over a few connections, each to be acknowledged; every tenth is for somebody who will be refused. */
async function submitAll(
  { ports }: SendingService,
  count: number,
): Promise<{ wanted: readonly string[]; unwanted: number }> {
  const wanted: string[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    const smtp = await rawSmtp(ports.submissions, { tls: true });
    await smtp.command('EHLO client.sender.example');
    await smtp.command(`AUTH PLAIN ${Buffer.from(`\0${login.user}\0${login.password}`).toString('base64')}`);
    while (next < count) {
      const n = next++;
      const to = [`${n % 10 === 0 ? 'no' : 'yes'}@${domains[n % domains.length]}`];
      const content = Buffer.from(`From: <${login.user}>\r\nSubject: n${n}\r\n\r\nHello.\r\n`);
      assert.match(await sendRaw(smtp, { from: login.user, to, content }), /^250/);
      if (n % 10 !== 0) wanted.push(`n${n}`);
    }
    smtp.close();
  };
  await Promise.all(Array.from({ length: 16 }, work));
  return { wanted, unwanted: count - wanted.length };
}
