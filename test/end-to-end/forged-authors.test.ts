// A forger owns evil.example and has it vouched for, by SPF and by DKIM. The victim asks for p=reject: whatever the header looks
// like, nothing that may show the victim is accepted, and the author whom DMARC judged is the author in the inbox JSON.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { domainToASCII } from 'node:url';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { hasPeer } from '#test/support/peers/peers.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { startScriptedDns } from '#test/support/peers/scripted-dns.ts';
import { idIn } from '#test/support/peers/send-many.ts';
import { type ForgedHeader, forgedHeaders } from '#test/support/samples/forged-headers.ts';
import { ed25519Record, signEd25519 } from '#test/support/samples/sign-ed25519.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { drained, type LocalService, startLocalService } from '#test/support/worlds/local-service.ts';

type Way = 'SPF' | 'DKIM';
type Case = ForgedHeader & { readonly way: Way; readonly content: Buffer; message: any; reply: string };

const texts = {
  'evil.example': 'v=spf1 ip4:127.0.0.1 -all',
  's._domainkey.evil.example': ed25519Record,
  's._domainkey.victim.example': ed25519Record,
  '_dmarc.evil.example': 'v=DMARC1; p=none',
  '_dmarc.victim.example': 'v=DMARC1; p=reject',
  '_dmarc.xn--vctim-zsa.example': 'v=DMARC1; p=reject',
};
const config: ConfigInput = {
  mode: 'serve',
  hostname: 'mx.receiver.example',
  domains: { 'receiver.example': { mailboxes: ['bob'] } },
  limits: { bareLineFeeds: 'accept' },
};
const body = 'Pay this at once.\r\n';

const cases: readonly Case[] = forgedHeaders.flatMap((forged) =>
  (['SPF', 'DKIM'] as const).map((way) => {
    const plain = `${forged.header}\r\n${body}`;
    const content = way === 'DKIM' ? signEd25519(plain, { domain: 'evil.example', names: ['from', 'subject'] }) : plain;
    return { ...forged, way, content: Buffer.from(content, 'latin1'), message: null, reply: '' };
  }),
);

/** What was signed by the victim, with one more field of a name above it: which of the two is shown is the reader's choice. */
const once = ['From', 'Sender', 'Reply-To', 'To', 'Cc', 'Subject', 'Date', 'Message-ID', 'Content-Type'];
const added = once.map((name) => {
  const original = 'From: ceo@victim.example\r\n';
  const first = name === 'From' ? '' : `${name}: text/plain\r\n`;
  const names = name === 'From' ? ['from'] : ['from', name.toLowerCase()];
  const genuine = signEd25519(`${original}${first}\r\n${body}`, { domain: 'victim.example', names });
  const content = Buffer.from(`${name}: text/html\r\n${genuine}`);
  return { name, content, message: null as any, reply: '' };
});

let service: LocalService;
let close = (): void => {};

before(async () => {
  const dns = await startScriptedDns(() => 0, texts);
  const folder = temporaryFolder();
  const ends: (() => unknown)[] = [];
  close = () =>
    void Promise.all(ends.map((end) => end())).finally(() => rmSync(folder, { recursive: true, force: true }));
  ends.push(dns.close);
  const given = { ...config, dns: { servers: [dns.server], temperrorRetrySeconds: [] } };
  service = await startLocalService({ after: (end: any) => ends.push(end) }, { folder, config: given });
  const waiting: { content: Buffer; message: any; reply: string; way?: Way }[] = [...cases, ...added];
  const all = [...waiting];
  await Promise.all(Array.from({ length: 8 }, () => sendAll(waiting)));
  await drained(service);
  await Promise.all(
    all.map(async (one) => {
      if (one.reply.startsWith('250')) one.message = await service.json(`/api/messages/${idIn(one.reply)}`);
    }),
  );
});
after(() => close());

/** Takes from the list until it is empty. */
async function sendAll(waiting: { content: Buffer; reply: string; way?: Way }[]): Promise<void> {
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO client.nobody.example');
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const from = next.way === 'SPF' ? 'x@evil.example' : 'x@nobody.example';
    next.reply = await sendRaw(smtp, { from, to: ['bob@receiver.example'], content: next.content });
  }
  smtp.close();
}

describe('a From field that may show the victim', () => {
  for (const one of cases.filter(({ fate }) => fate === 'withheld')) {
    it(`is withheld, vouched for by ${one.way}: ${one.name}`, () => {
      const { disposition, authentication } = read(one);
      const said = JSON.stringify({
        dmarc: authentication.dmarc,
        from: one.message.from,
        problems: one.message.problems,
      });
      assert.notEqual(authentication.dmarc.result, 'pass', said);
      assert.equal(disposition.action, 'quarantine', said);
    });
  }
});

describe('a From field of evil.example', () => {
  for (const one of cases.filter(({ fate }) => fate === 'evil')) {
    it(`passes as what it is, by ${one.way}: ${one.name}`, () => {
      const { from, authentication, disposition } = read(one);
      assert.equal(authentication.dmarc.result, 'pass', JSON.stringify(authentication.dmarc));
      assert.equal(authentication.dmarc.domain, 'evil.example');
      assert.equal(disposition.action, 'accept');
      assert.deepEqual(
        from.map(({ address }: any) => address),
        ['x@evil.example'],
      );
    });
  }
});

describe('a message without an author', () => {
  for (const one of cases.filter(({ fate }) => fate === 'unread')) {
    it(`does not pass, and the JSON says why: ${one.name} (${one.way})`, () => {
      const { from, authentication, problems } = read(one);
      assert.notEqual(authentication.dmarc.result, 'pass');
      assert.deepEqual(
        from.filter(({ address }: any) => address !== ''),
        [],
      );
      assert.match(JSON.stringify([authentication.dmarc.reason, problems]), /author|From/);
    });
  }
});

describe('whatever the header', () => {
  it('a pass means that every author in the JSON has the judged domain', () => {
    const wrong = cases.filter(({ message }) => {
      if (message?.authentication.dmarc.result !== 'pass') return false;
      const domains = message.from.map(({ address }: any) => domainOf(address));
      return domains.length === 0 || domains.some((domain: string) => domain !== message.authentication.dmarc.domain);
    });
    assert.deepEqual(wrong.map(named), []);
  });

  it('a pass means that Python shows no other author', (t) => {
    if (!hasPeer('python3')) return t.skip('not installed here: python3');
    const passed = cases.filter(({ message }) => message?.authentication.dmarc.result === 'pass');
    const input = passed.map(({ content }) => `${content.toString('base64')}\n`).join('');
    const { stdout, stderr } = spawnSync('python3', ['test/support/peers/python-from.py'], { input, encoding: 'utf8' });
    const shown: string[][] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(shown.length, passed.length, stderr);
    const wrong = passed.filter(({ message }, n) =>
      shown[n]?.some((address) => domainOf(address) !== message.authentication.dmarc.domain),
    );
    assert.deepEqual(wrong.map(named), []);
  });

  it('the author whom DMARC judged is the author in the JSON, or the JSON says why not', () => {
    const wrong = cases.filter(({ message }) => {
      if (message === null) return false;
      const { authentication, from, problems } = message;
      const domains: string[] = from.map(({ address }: any) => domainOf(address));
      const judged = authentication.dmarc.domain;
      if (judged !== null) return domains.some((domain) => domain !== judged) && problems.length === 0;
      const isAbsent = from.length === 0 && /no From field/.test(authentication.dmarc.reason);
      return !isAbsent && problems.length === 0 && authentication.dmarc.result !== 'permerror';
    });
    assert.deepEqual(wrong.map(named), []);
  });

  it('nothing that is refused is refused for good without a word about its header', () => {
    for (const { reply, name } of cases) assert.match(reply, /^250 |^550 5\.6\.|^554 5\.6\./, `${name}: ${reply}`);
  });
});

describe('a field that may stand once, put above the one that the victim signed', () => {
  for (const one of added) {
    it(`takes the signature its force: ${one.name} (RFC 6376 §8.15)`, () => {
      const { authentication, disposition } = one.message;
      assert.notEqual(authentication.dkim[0].result, 'pass');
      assert.match(authentication.dkim[0].reason, new RegExp(`${one.name}|header fields it covers`, 'i'));
      assert.notEqual(authentication.dmarc.result, 'pass');
      assert.equal(disposition.action, 'quarantine');
    });
  }
});

/** What the recipient's program reads; of what the listener refused, something that nobody accepts. */
function read({ message, reply }: Pick<Case, 'message' | 'reply'>): any {
  if (message !== null) return message;
  assert.match(reply, /^55/);
  return {
    disposition: { action: 'quarantine' },
    authentication: { dmarc: { result: 'refused', reason: 'From' } },
    from: [],
    problems: [],
  };
}

function named({ name, way, message }: Case): unknown {
  return { name, way, from: message.from, dmarc: message.authentication.dmarc };
}

function domainOf(address: string): string {
  return domainToASCII(address.slice(address.lastIndexOf('@') + 1).replace(/\.$/, ''));
}
