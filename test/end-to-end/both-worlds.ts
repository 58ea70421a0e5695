// In `npm run test:emulator`: the same mail sent to both worlds, the embedded one and the AWS adapters over the emulator with the bundles that ship:
// what is stored is the same, byte for byte, once ids, times and what hangs on them are put aside.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { dkimSign } from 'mailauth/lib/dkim/sign.js';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { startDns } from '#test/support/peers/peer-dns.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { type CorpusMessage, corpus } from '#test/support/samples/corpus.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { allMessages, drained, type LocalService, startLocalService } from '#test/support/worlds/local-service.ts';
import { login, submit } from '#test/support/worlds/sending-service.ts';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const zone = {
  txt: {
    'sender.example': 'v=spf1 ip4:127.0.0.1 -all',
    '_dmarc.sender.example': 'v=DMARC1; p=reject',
    's1._domainkey.sender.example': `v=DKIM1; k=rsa; p=${key}`,
    'forger.example': 'v=spf1 -all',
    'soft.example': 'v=spf1 include:nowhere.example ~all',
    '_dmarc.soft.example': 'v=DMARC1; p=none',
    '_dmarc.other.example': 'v=DMARC1; p=quarantine',
  },
  broken: ['broken.example'],
};
/** Who sends, in turn: what SPF, DKIM and DMARC say of it differs. */
const reversePaths = [
  'ann@sender.example',
  'x@forger.example',
  '',
  'x@soft.example',
  'x@nothing.example',
  'x@broken.example',
];
/** To whom, in turn, and where it is stored: a tag, an alias of three, another domain, a catch-all. */
const addressings = [
  {
    to: ['support+tag.1@example.test', 'info@example.test', 'Box@other.test', 'anybody@all.test'],
    mailboxes: ['box@other.test', 'rest@all.test', 'sales@example.test', 'support@example.test'],
  },
  { to: ['support+tag.1@example.test'], mailboxes: ['support@example.test'] },
  { to: ['Box@other.test', 'anybody@all.test'], mailboxes: ['box@other.test', 'rest@all.test'] },
] as const;
type Sent = { readonly name: string; readonly mailboxes: readonly string[] };

/** More than one part of a multipart upload, raw and as an attachment. */
const large = Buffer.from(
  `From: alice@sender.example\r\nSubject: large\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n${`${'QUJD'.repeat(19)}\r\n`.repeat(160_000)}`,
);

const mail: readonly (CorpusMessage & { readonly from: string })[] = [
  ...corpus().map(({ name, bytes }, n) => ({ name, bytes, from: reversePaths[n % 5] ?? '' })),
  ...corpus()
    .slice(0, 3)
    .map(({ name, bytes }) => ({ name: `${name}, no DNS`, bytes, from: reversePaths[5] ?? '' })),
];

test(
  `both worlds make the same JSON, attachments and bytes of ${mail.length + 4} messages to one to four recipients each`,
  peerOptions('dnsmasq'),
  async (t) => {
    const dns = await startDns(zone);
    t.after(dns.close);
    const config = await configFor(dns.server);
    const start = (world: string) => startLocalService(t, { folder: folderOf(t), config, args: ['--world', world] });
    const [embedded, emulator] = await Promise.all([start('embedded'), start('emulator')]);
    const sent = await signed();
    const [here, there] = await Promise.all([stored(embedded, sent), stored(emulator, sent)]);

    assert.deepEqual([...there.keys()], [...here.keys()], 'the same in the same folders');
    for (const [what, one] of here) assertSame(what, there.get(what) ?? '', one);
    const all = [...here.values()].join('\n');
    for (const word of ['"action":"quarantine"', '"action":"accept"', '"result":"pass"', '"result":"temperror"']) {
      assert.ok(all.includes(word), `the corpus has ${word}`);
    }
    for (const service of [embedded, emulator]) {
      const queues: any[] = await service.json('/api/queues');
      assert.ok(queues.every(({ dead }) => dead === 0));
      assert.equal(await service.stop(), 0);
    }
  },
);

async function configFor(server: string): Promise<ConfigInput> {
  return {
    mode: 'serve',
    hostname: 'mx.example.test',
    domains: {
      'example.test': { mailboxes: ['support', 'sales'], aliases: { info: ['sales', 'support', 'box@other.test'] } },
      'other.test': { mailboxes: ['box'], onDmarcFail: 'accept' },
      'all.test': { mailboxes: ['rest'], catchAll: 'rest' },
    },
    users: [{ name: login.user, password: openSesameHash, mayFrom: ['*@sender.example'] }],
    dns: { servers: [server], timeoutSeconds: 5, temperrorRetrySeconds: [1] },
  };
}

/** The corpus and one message that is signed, one whose signature is broken. */
async function signed(): Promise<typeof mail> {
  const text = 'From: Ann <ann@sender.example>\r\nTo: support@example.test\r\nSubject: signed\r\n\r\nsigned text\r\n';
  const signer = {
    canonicalization: 'relaxed/relaxed',
    signTime: new Date('2026-11-21T09:00:00Z'),
    signingDomain: 'sender.example',
    selector: 's1',
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
  // Without `signatureData` mailauth signs nothing, whatever its types say.
  const { signatures } = await dkimSign(text, { ...signer, signatureData: [signer] });
  assert.match(signatures, /^DKIM-Signature: /);
  const whole = `${signatures}${text}`;
  return [
    ...mail,
    { name: 'large', bytes: large, from: 'ann@sender.example' },
    { name: 'signed', bytes: Buffer.from(whole), from: 'x@forger.example' },
    { name: 'tampered', bytes: Buffer.from(whole.replace('signed text', 'forged text')), from: 'x@forger.example' },
  ];
}

/** All that was stored of what was sent, by `subject of the test, mailbox`: texts to compare. */
async function stored(service: LocalService, sent: typeof mail): Promise<ReadonlyMap<string, string>> {
  const storedMail = new Map<string, Sent>();
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  for (const [n, { name, bytes, from }] of sent.entries()) {
    const { to, mailboxes } = addressings[n % addressings.length] ?? addressings[0];
    const content = Buffer.from(bytes).subarray(-2).equals(Buffer.from('\r\n'))
      ? bytes
      : Buffer.concat([bytes, Buffer.from('\r\n')]);
    const reply = await sendRaw(smtp, {
      from,
      to,
      content,
      parameters: { mail: 'BODY=8BITMIME', rcpt: '' },
    });
    assert.match(reply, /^250 2\.6\.0 /, `${name}: ${reply}`);
    storedMail.set(idOf(reply), { name, mailboxes });
  }
  smtp.close();
  const content =
    'From: app@sender.example\r\nDate: Sat, 21 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@x>\r\nSubject: own\r\n\r\nhi\r\n';
  const submission = { from: login.user, to: ['support@example.test'], content };
  const submitted = await submit(service.ports.submissions, submission);
  storedMail.set(submitted, { name: 'submitted', mailboxes: ['support@example.test'] });
  await drained(service);
  const found = new Map<string, string>();
  for (const summary of await allMessages(service)) {
    const { name, mailboxes } = storedMail.get(summary.id) ?? { name: 'nobody sent this', mailboxes: [] };
    assert.deepEqual(summary.mailboxes, mailboxes, name);
    const copies = summary.mailboxes.map(async (mailbox: string) => {
      found.set(`${name}, ${mailbox}`, await read(service, { id: summary.id, mailbox, summary }));
    });
    await Promise.all(copies);
  }
  const copies = [...storedMail.values()].reduce((count, { mailboxes }) => count + mailboxes.length, 0);
  assert.equal(found.size, copies, 'each message is in each mailbox once');
  return new Map([...found].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** One inbox message with its bodies and attachments, as text. */
async function read(
  service: LocalService,
  { id, mailbox, summary }: { id: string; mailbox: string; summary: unknown },
): Promise<string> {
  const get = async (path: string) =>
    Buffer.from(
      await (
        await fetch(`${service.http}/api/messages/${id}${path}?mailbox=${encodeURIComponent(mailbox)}`)
      ).arrayBuffer(),
    );
  const json = (await get('')).toString();
  const message = JSON.parse(json);
  const raw = await get('/raw');
  assert.deepEqual([message.raw.bytes, message.raw.sha256], [raw.length, hash(raw)], 'its raw bytes are as it says');
  const pieces = [JSON.stringify(summary), json, raw.toString('latin1')];
  for (const body of ['text', 'html']) {
    if (typeof message[body]?.key === 'string') pieces.push(hash(await get(`/${body}`)));
  }
  for (const [n, { bytes, sha256 }] of message.attachments.entries()) {
    const content = await get(`/attachments/${n + 1}`);
    assert.deepEqual([bytes, sha256], [content.length, hash(content)], 'an attachment is as its message says');
    pieces.push(hash(content));
  }
  return comparable(pieces.join('\n'), message);
}

/** Without what two receptions of one message cannot share. */
function comparable(text: string, { id, raw }: { id: string; raw: { sha256: string } }): string {
  return text
    .replaceAll(id, 'ID')
    .replaceAll(raw.sha256, 'SHA-256')
    .replaceAll(/\d{4}\/\d\d\/\d\d(\/\d\d)?\/(?=ID)/g, 'DAY/')
    .replaceAll(/"receivedAt":"[^"]*"/g, '"receivedAt":"AT"')
    .replaceAll(/(id ID[^;]{0,300};(?:\s|\\r\\n)*)\w{3}, \d{1,2} \w{3} \d{4} [\d:]{8} \+0000/g, '$1AT');
}

/** Where they part, not two long texts. */
function assertSame(what: string, one: string, other: string): void {
  if (one === other) return;
  let at = 0;
  while (one[at] === other[at]) at += 1;
  const [from, to] = [Math.max(0, at - 100), at + 100];
  assert.equal(one.slice(from, to), other.slice(from, to), what);
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function idOf(reply: string): string {
  return /[0-9A-HJKMNP-TV-Z]{26}/.exec(reply)?.[0] ?? '';
}

function folderOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
