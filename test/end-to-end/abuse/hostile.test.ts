// Mail made to hurt, through the running service in both worlds: each is stored and says what was wrong with it, nothing is
// given up, ordinary mail keeps flowing beside it, memory stays bounded.
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { stages, windowSeconds } from '#pipeline/contract/stages.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { startScriptedDns } from '#test/support/peers/scripted-dns.ts';
import { idIn } from '#test/support/peers/send-many.ts';
import { sharedStopwatch } from '#test/support/time/stopwatch.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { drained, eventually, type LocalService, startLocalService } from '#test/support/worlds/local-service.ts';

const from = 'From: x@hostile.example\r\n';
const mime = (type: string, encoding = '7bit'): string =>
  `${from}MIME-Version: 1.0\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`;
const times = (count: number, make: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => make(n)).join('');
const wrapped = (text: string): string => text.replaceAll(/.{900}/g, '$&\r\n');

const hostile: readonly {
  readonly name: string /** The problem that is told, or null: it is read to its end, without any. */;
  readonly code: string | null;
  readonly text: () => string;
}[] = [
  {
    name: '20,000 nested parts',
    code: 'too-many-parts',
    text: () =>
      `${from}${times(20_000, (n) => `Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n--b${n}\r\n`)}\r\ndeep\r\n`,
  },
  {
    name: 'a header of 5 MB',
    code: 'header-too-large',
    text: () => `${from}${times(5_300, (n) => `X-${n}: ${'x'.repeat(930)}\r\n`)}\r\nbody\r\n`,
  },
  {
    name: 'one field of 5 MB',
    code: 'header-too-large',
    text: () => `${from}X: y\r\n${' xxxxxxxxx xxxxxxxx\r\n'.repeat(250_000)}\r\nbody\r\n`,
  },
  {
    name: '3 MB of nested <div>',
    code: 'html-too-deep',
    text: () => `${mime('text/html')}${wrapped('<div>'.repeat(600_000))}\r\n`,
  },
  {
    name: '200 signatures by slow zones',
    code: 'too-many-signatures',
    text: () =>
      `${times(200, (n) => `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=slow${n}.example; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n`)}${from}\r\nbody\r\n`,
  },
  {
    name: '100,000 addresses',
    code: 'too-many-addresses',
    text: () => `${from}To: ${times(100_000, (n) => `a${n}@b.example,\r\n `)}z@b.example\r\n\r\nbody\r\n`,
  },
  {
    name: 'MIME that is none',
    code: 'malformed-content-type',
    text: () =>
      `${from}Content-Type: multipart/; boundary\r\nContent-Type: =?;;;\r\nContent-Transfer-Encoding: base65\r\n:\r\n\r\n--\r\n--\r\n`,
  },
  {
    name: '100,000 attachments',
    code: 'too-many-parts',
    text: () =>
      `${mime('multipart/mixed; boundary=b')}${times(100_000, (n) => `--b\r\nContent-Disposition: attachment; filename=${n}\r\n\r\nx\r\n`)}--b--\r\n`,
  },
  {
    name: '30 MB of base64 text in tiny lines',
    code: null,
    text: () => `${mime('text/plain', 'base64')}${'QQ==\r\n'.repeat(5_000_000)}`,
  },
  {
    name: '15 MB of quoted-printable soft breaks',
    code: null,
    text: () => `${mime('text/plain', 'quoted-printable')}${'=\r\n'.repeat(5_000_000)}x\r\n`,
  },
  {
    name: 'text of 20 MB in a stateful charset',
    code: null,
    text: () =>
      `${mime('text/plain; charset=iso-2022-jp')}${'\u001b$B\u001b(B'.repeat(100).concat('\r\n').repeat(30_000)}`,
  },
];

test('hostile mail is stored in the embedded world while ordinary mail passes it within 4 s', async (t) => {
  await survives(t, { world: 'embedded', messages: hostile, mostMs: 4_000 });
});

// The emulated S3 runs in the process of the listener and writes each object of 5 MB at a stretch, four in all: ordinary
// mail waits about 1.5 s for that on a machine of our own. A stage that held it up would hold it for the budget of 30 s.
test('hostile mail is stored by the bundles that ship while ordinary mail passes it within 8 s and the window', async (t) => {
  await survives(t, {
    world: 'emulator',
    mostMs: 8_000 + windowSeconds(stages.authenticate) * 1_000,
    messages: hostile.filter(({ name }) => /nested|5 MB|slow|100,000/.test(name)),
  });
});

async function survives(
  t: TestContext,
  { world, messages, mostMs }: { world: string; messages: typeof hostile; mostMs: number },
): Promise<void> {
  const dns = await startScriptedDns((name) => (name.includes('slow') ? 700 : 0));
  t.after(dns.close);
  const config: ConfigInput = {
    mode: 'serve',
    hostname: 'mx.receiver.example',
    domains: { 'receiver.example': { mailboxes: ['bob'] } },
    dns: { servers: [dns.server], timeoutSeconds: 2, temperrorRetrySeconds: [1] },
    parse: { budgetSeconds: 30 }, // seconds on the wall, which a busy machine fills slowly
  };
  const service = await startLocalService(t, { folder: folderOf(t), config, args: ['--world', world] });
  await Promise.all(Array.from({ length: 20 }, () => ordinary(service))); // all sandboxes that there will be have started
  const before = residentMiB(service);
  const contents = messages.map(({ name, text }) => ({ name, content: Buffer.from(text()) }));
  const ids = new Map<string, string>();
  let isOver = false;
  const attack = Promise.all(
    contents.map(async ({ name, content }) => {
      const smtp = await rawSmtp(service.ports.mx);
      await smtp.command('EHLO mx.hostile.example');
      const reply = await sendRaw(smtp, {
        from: 'x@hostile.example',
        to: ['bob@receiver.example'],
        content,
      });
      assert.match(reply, /^250 2\.6\.0 /, `${name}: ${reply}`);
      ids.set(name, idIn(reply));
      smtp.close();
    }),
  )
    .then(() => drained(service, 120))
    .finally(() => {
      isOver = true;
    });
  const waits: number[] = [];
  let most = before;
  while (!isOver) {
    waits.push(await ordinary(service));
    most = Math.max(most, residentMiB(service));
    await pause(100);
  }
  await attack;
  for (const { name, code } of messages) {
    const { problems } = await service.json(`/api/messages/${ids.get(name)}`);
    const codes: string[] = problems.map((problem: any) => problem.code);
    assert.ok(code === null ? codes.length === 0 : codes.includes(code), `${name}: ${JSON.stringify(problems)}`);
  }
  const queues: any[] = await service.json('/api/queues');
  assert.deepEqual(
    queues.map(({ dead }) => dead),
    [0, 0, 0, 0, 0],
  );
  const worstMs = Math.max(...waits);
  assert.ok(worstMs < mostMs, `ordinary mail took ${worstMs} ms at worst`);
  assert.ok(most - before < 700, `from ${before} to ${most} MiB`);
}

/** Sends one small message; the milliseconds from its first octet until it is to be read, on a machine of our own. */
async function ordinary(service: LocalService): Promise<number> {
  const elapsedMs = sharedStopwatch();
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  const reply = await sendRaw(smtp, {
    to: ['bob@receiver.example'],
    content: Buffer.from('Subject: hi\r\n\r\nhi\r\n'),
  });
  smtp.close();
  assert.match(reply, /^250 /);
  await eventually(
    'it is stored',
    async () => (await fetch(`${service.http}/api/messages/${idIn(reply)}`)).status === 200,
  );
  return elapsedMs();
}

function residentMiB({ child }: LocalService): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024);
}

function folderOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
