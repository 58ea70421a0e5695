// DKIM and ARC against signers we did not write: dkimpy and OpenDKIM, RSA and Ed25519. What they sign passes, what is
// changed afterwards does not.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Zone } from '#test/support/fakes/zone-resolver.ts';
import { freePort } from '#test/support/peers/free-port.ts';
import { findPeer, peerOptions } from '#test/support/peers/peers.ts';
import { judge, runStage } from './run-stage.ts';
import { signByMilter } from './sign-by-milter.ts';

const folder = mkdtempSync(join(tmpdir(), 'pillarbox-dkim-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const rsaFile = join(folder, 'rsa.pem');
const edFile = join(folder, 'ed25519.key');
writeFileSync(rsaFile, rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
const edSeed = rawTail(ed25519.privateKey.export({ type: 'pkcs8', format: 'der' }));
const edPemFile = join(folder, 'ed25519.pem');
writeFileSync(edPemFile, ed25519.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
writeFileSync(edFile, edSeed.toString('base64'), { mode: 0o600 });

const rsaRecord = `v=DKIM1; k=rsa; p=${rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`;
const edPublic = rawTail(ed25519.publicKey.export({ type: 'spki', format: 'der' }));
const edRecord = `v=DKIM1; k=ed25519; p=${edPublic.toString('base64')}`;
const zone: Zone = {
  // A key over 255 octets stands in several strings of one record (RFC 6376 §3.6.2.2).
  'rsa._domainkey.sender.example': { TXT: [[rsaRecord.slice(0, 200), rsaRecord.slice(200)]] },
  'ed._domainkey.sender.example': { TXT: [edRecord] },
  '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] },
};

const message = [
  'From: Ann  <ann@sender.example>',
  'To: bob@ours.example',
  'Subject: a  subject that is',
  '\tfolded',
  'Date: Sat, 21 Nov 2026 12:00:00 +0000',
  'Message-ID: <1@sender.example>',
  '',
  'Hello  Bob, \t ',
  '.leading dot',
  '',
  'Bye',
  '',
  '',
  '',
].join('\r\n');

type Signer = { readonly title: string; readonly peer: string; readonly sign: (text: string) => string };

const dkimpy =
  (...options: string[]) =>
  (selector: string, key: string) =>
  (text: string): string =>
    run('dkimsign', [...options, selector, 'sender.example', key], text);

const signers: readonly Signer[] = [
  { title: 'dkimpy, rsa, relaxed/simple', peer: 'dkimsign', sign: dkimpy()('rsa', rsaFile) },
  {
    title: 'dkimpy, rsa, relaxed/relaxed',
    peer: 'dkimsign',
    sign: dkimpy('--hcanon', 'relaxed', '--bcanon', 'relaxed')('rsa', rsaFile),
  },
  {
    title: 'dkimpy, rsa, simple/simple',
    peer: 'dkimsign',
    sign: dkimpy('--hcanon', 'simple', '--bcanon', 'simple')('rsa', rsaFile),
  },
  {
    title: 'dkimpy, ed25519, relaxed/relaxed',
    peer: 'dkimsign',
    sign: dkimpy('--signalg', 'ed25519-sha256', '--bcanon', 'relaxed')('ed', edFile),
  },
];

for (const { title, peer, sign } of signers) {
  test(
    `a message signed by ${title} passes DKIM and DMARC, and fails both once it was changed`,
    peerOptions(peer),
    async () => {
      const signed = sign(message);
      const verdict = await judge({ message: signed, zone });
      assert.equal(verdict.dkim[0]?.result, 'pass', verdict.dkim[0]?.reason);
      assert.equal(verdict.dkim[0]?.domain, 'sender.example');
      assert.equal(verdict.dmarc.result, 'pass');
      assert.deepEqual(verdict.dmarc.aligned, { spf: false, dkim: true });
      assert.match(verdict.results, /dkim=pass .*header\.d=sender\.example/);

      const changes = {
        body: signed.replace('Bye', 'Pay'),
        subject: signed.replace('a  subject', 'an  object'),
        author: signed.replace('<ann@', '<eve@'),
        appended: `${signed}Pay here\r\n`,
      };
      for (const [change, text] of Object.entries(changes)) {
        assert.notEqual(text, signed);
        const found = await judge({ message: text, zone });
        assert.equal(found.dkim[0]?.result, 'fail', `${change}: ${found.dkim[0]?.reason}`);
        assert.equal(found.dmarc.result, 'fail');
        assert.equal(found.dmarc.policy, 'reject');
      }
    },
  );
}

test(
  'what stands behind the signed length (l=) makes a valid signature count for nothing',
  peerOptions('dkimsign'),
  async () => {
    const signed = run('/usr/bin/python3', ['-c', signWithLength, rsaFile], message) + message;
    assert.match(signed, /\bl=\d+/);
    assert.equal((await judge({ message: signed, zone })).dkim[0]?.result, 'pass');

    const { dkim, dmarc } = await judge({ message: `${signed}Pay here\r\n`, zone });
    assert.equal(dkim[0]?.result, 'policy');
    assert.match(dkim[0]?.reason ?? '', /covers only the first \d+ bytes/);
    assert.equal(dmarc.result, 'fail');
  },
);

const milters = [
  { algorithm: 'rsa-sha256', selector: 'rsa', key: rsaFile, canonicalization: 'relaxed/simple' },
  { algorithm: 'rsa-sha256', selector: 'rsa', key: rsaFile, canonicalization: 'simple/relaxed' },
  { algorithm: 'ed25519-sha256', selector: 'ed', key: edPemFile, canonicalization: 'relaxed/relaxed' },
] as const;

for (const { algorithm, selector, key, canonicalization } of milters) {
  test(
    `a message signed by OpenDKIM with ${algorithm}, ${canonicalization} passes, and fails once it was changed`,
    peerOptions('opendkim'),
    async (t) => {
      const port = await freePort();
      const settings = { Domain: 'sender.example', Selector: selector, KeyFile: key, SignatureAlgorithm: algorithm };
      const more = {
        Socket: `inet:${port}@127.0.0.1`,
        Canonicalization: canonicalization,
        Mode: 's',
        Background: 'no',
      };
      const file = join(folder, `opendkim-${port}.conf`);
      const lines = Object.entries({ ...settings, ...more, Syslog: 'no', RequireSafeKeys: 'no' });
      writeFileSync(file, lines.map(([name, value]) => `${name} ${value}\n`).join(''));
      const opendkim = spawn(findPeer('opendkim') ?? '', ['-f', '-x', file], { stdio: 'ignore' });
      t.after(() => opendkim.kill());
      const signed = await until(() => signByMilter(port, message));

      const { dkim, dmarc } = await judge({ message: signed, zone });
      assert.equal(dkim[0]?.result, 'pass', dkim[0]?.reason);
      assert.equal(dkim[0]?.algorithm, algorithm);
      assert.equal(dmarc.result, 'pass');
      for (const changed of [signed.replace('Bye', 'Pay'), signed.replace('<ann@', '<eve@')]) {
        assert.equal((await judge({ message: changed, zone })).dkim[0]?.result, 'fail');
      }
    },
  );
}

test(
  'a signature by rsa-sha1 (as opendkim-testmsg makes it) proves nothing (RFC 8301 §3.1)',
  peerOptions('opendkim-testmsg'),
  async () => {
    const args = ['-C', '-d', 'sender.example', '-s', 'rsa', '-k', rsaFile];
    const { dkim, dmarc } = await judge({ message: run('opendkim-testmsg', args, message), zone });
    assert.equal(dkim[0]?.algorithm, 'rsa-sha1');
    assert.equal(dkim[0]?.result, 'policy');
    assert.equal(dmarc.result, 'fail');
  },
);

test(
  'a forged message of a domain with p=reject is quarantined, a signed one lands',
  peerOptions('dkimsign'),
  async () => {
    const forged = await runStage({ message, zone });
    assert.equal(forged.jobs.of('parse')[0]?.disposition.action, 'quarantine');
    const signed = await runStage({ message: dkimpy()('rsa', rsaFile)(message), zone });
    assert.equal(signed.jobs.of('parse')[0]?.disposition.action, 'accept');
  },
);

test('one good signature is enough, and every signature has its verdict', peerOptions('dkimsign'), async () => {
  const twice = dkimpy('--signalg', 'ed25519-sha256')('ed', edFile)(dkimpy()('rsa', rsaFile)(message));
  const broken = twice.replace(/(s=ed;[\s\S]*?bh=)./, '$1x');
  assert.notEqual(broken, twice);
  const both = await judge({ message: twice, zone });
  assert.deepEqual(
    both.dkim.map(({ result }) => result),
    ['pass', 'pass'],
  );
  assert.deepEqual(
    both.dkim.map(({ algorithm }) => algorithm),
    ['ed25519-sha256', 'rsa-sha256'],
  );
  const one = await judge({ message: broken, zone });
  assert.deepEqual(
    one.dkim.map(({ result }) => result),
    ['fail', 'pass'],
  );
  assert.equal(one.dmarc.result, 'pass');
});

const signWithLength = [
  'import dkim, sys',
  'key = open(sys.argv[1], "rb").read()',
  'text = sys.stdin.buffer.read()',
  'sys.stdout.buffer.write(dkim.sign(text, b"rsa", b"sender.example", key, length=True))',
].join('\n');

function run(command: string, args: readonly string[], input: string): string {
  const { status, stdout, stderr } = spawnSync(findPeer(command) ?? command, args, { input, encoding: 'latin1' });
  assert.equal(status, 0, `${command}: ${stderr}`);
  return stdout.replace(/\r?\n/g, '\r\n');
}

function rawTail(der: Buffer): Buffer {
  return der.subarray(-32);
}

test(
  'an ARC chain sealed by dkimpy passes, and overrides nothing; a broken one fails',
  peerOptions('arcsign'),
  async () => {
    const judged = `Authentication-Results: mx.relay.example; spf=pass smtp.mailfrom=sender.example\r\n${message}`;
    const sealed = run('arcsign', ['rsa', 'relay.example', rsaFile, 'mx.relay.example'], judged);
    const zoneOfRelay: Zone = { ...zone, 'rsa._domainkey.relay.example': { TXT: [[rsaRecord]] } };

    const { jobs } = await runStage({ message: sealed, zone: zoneOfRelay });
    const job = jobs.of('parse')[0];
    assert.equal(job?.authentication.arc.result, 'pass', job?.authentication.arc.reason);
    assert.equal(job?.authentication.arc.instances, 1);
    assert.equal(job?.disposition.action, 'quarantine');
    assert.match(job?.disposition.reason ?? '', /ARC chain does not override/);

    const broken = {
      body: sealed.replace('Bye', 'Pay'),
      'chain status': sealed.replace('cv=none', 'cv=pass'),
      'sealed results': sealed.replace('i=1; mx.relay.example; spf=pass', 'i=1; mx.relay.example; spf=fail'),
    };
    for (const [what, text] of Object.entries(broken)) {
      assert.notEqual(text, sealed);
      const { arc } = await judge({ message: text, zone: zoneOfRelay });
      assert.equal(arc.result, 'fail', `${what}: ${arc.reason}`);
    }
    const keyless = await judge({ message: sealed, zone: { ...zone, 'rsa._domainkey.relay.example': 'SERVFAIL' } });
    assert.equal(keyless.arc.result, 'temperror', keyless.arc.reason);
  },
);

async function until<Found>(attempt: () => Promise<Found>): Promise<Found> {
  const endAt = performance.now() + 30_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > endAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
