// What we sign, judged by verifiers we did not write: dkimpy, Mail::DKIM and OpenDKIM, over bodies that are odd in every way
// a body can be. The bytes are those a host received, so line endings, dots and the signature field are all in it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deliveryWorld } from '#test/functions/deliver/delivery-world.ts';
import { findPeer, peerOptions } from '#test/support/peers/peers.ts';
import { startMx } from '#test/support/peers/scripted-mx.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const pem = (key: typeof rsa.privateKey) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const secrets = { 'secret:rsa': pem(rsa.privateKey), 'secret:ed': pem(ed25519.privateKey) };
const dkim = [
  { selector: 'rsa', privateKey: 'secret:rsa' },
  { selector: 'ed', privateKey: 'secret:ed' },
];
const records = {
  'rsa._domainkey.sender.example': `v=DKIM1; k=rsa; p=${rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`,
  'ed._domainkey.sender.example': `v=DKIM1; k=ed25519; p=${ed25519.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64')}`,
};

const header =
  'From: Ann  <a@sender.example>\r\nTo: b@far.example\r\nSubject: folded\r\n\t and  spaced \r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nX-Odd:\r\n';
const bodies: Readonly<Record<string, string | Buffer>> = {
  plain: `${header}\r\nHello.\r\n`,
  'no body': `${header}\r\n`,
  'no empty line': header,
  'only empty lines': `${header}\r\n\r\n\r\n\r\n`,
  'only white space': `${header}\r\n \t \r\n\t\r\n`,
  'no final line end': `${header}\r\nHello`,
  'white space everywhere': `${header}\r\n a  b \t c \t \r\n\t\r\n \r\nd\r\n  \r\n`,
  dots: `${header}\r\n.\r\n..\r\n.a\r\n...\r\n. \r\nend.\r\n.`,
  'long lines': `${header}\r\n${'x'.repeat(5_000)}\r\n${' y'.repeat(3_000)}\r\n`,
  '8-bit and bytes that are no UTF-8': Buffer.concat([
    Buffer.from(`${header}\r\nfür `),
    Buffer.from([0xff, 0xfe, 0x80, 0x0d, 0x0a]),
  ]),
  'bare LF and bare CR': `${header}\r\na\nb\rc\n\nd\r\r\n`,
  'LF all over, header too': `${header}\r\nx\r\n`.replaceAll('\r\n', '\n'),
  'a field that ends in the octet A0, as à does in UTF-8': `${header.replace('X-Odd:', 'To: \u00a0ici\r\nSubject: voilà')}\r\nHi\r\n`,
  'many recipients in folded fields': `${header}Cc: ${Array.from({ length: 100 }, (_, n) => `u${n}@far.example`).join(',\r\n ')}\r\n\r\nHi\r\n`,
  'a header field twice': `${header}To: c@far.example\r\n\r\nHi\r\n`,
  large: `${header}\r\n${'A line of some length, with a  double space. \r\n'.repeat(12_000)}`,
  'large, with a megabyte of empty lines': `${header}\r\nbegin\r\n${'\r\n'.repeat(500_000)}end`,
};

const folder = mkdtempSync(join(tmpdir(), 'pillarbox-sign-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The messages as a host received them, signed on the way, by name. */
async function received(): Promise<Map<string, Buffer>> {
  const mx = await startMx();
  const config = { domains: { 'sender.example': { mailboxes: ['a'], dkim } }, delivery: { attemptSeconds: 20 } };
  const world = deliveryWorld({ port: mx.port, secrets, config });
  world.clock.set(Date.now() - 60_000); // OpenDKIM minds signatures from the future
  const arrived = new Map<string, Buffer>();
  for (const [name, message] of Object.entries(bodies)) {
    const outcome = await world.run(world.job({ message, signingDomain: 'sender.example' }));
    assert.equal(outcome.outcome, 'delivered', name);
    arrived.set(name, Buffer.from(mx.mails.at(-1)!.content, 'latin1'));
  }
  await Promise.all([mx.close(), world.close()]);
  return arrived;
}

const arriving = received();

function files(arrived: Map<string, Buffer>): [string, string][] {
  return [...arrived].map(([name, bytes], index) => {
    const path = join(folder, `${index}.eml`);
    writeFileSync(path, bytes);
    return [name, path];
  });
}

test('both signatures are there, and From and its fellows are signed once more than they occur', async () => {
  for (const [name, bytes] of await arriving) {
    const text = bytes.toString('latin1').split('\r\n\r\n')[0]!;
    assert.equal(
      text.match(/^DKIM-Signature: v=1; a=(rsa|ed25519)-sha256; c=relaxed\/relaxed; d=sender\.example;/gm)?.length,
      2,
      name,
    );
    assert.ok(text.replace(/\s+/g, '').includes('h=from:from:sender:reply-to:to:'), name);
    assert.ok(
      text
        .split('\r\n')
        .filter((line) => /^(DKIM|\t)/.test(line))
        .every((line) => line.length <= 100),
      name,
    );
  }
});

test('dkimpy verifies both signatures of every message', peerOptions('dkimverify'), async () => {
  const script = join(folder, 'verify.py');
  const zone = JSON.stringify(Object.fromEntries(Object.entries(records).map(([name, text]) => [`${name}.`, text])));
  writeFileSync(
    script,
    `import dkim, json, sys\nzone = json.loads(sys.argv[1])\ndef txt(name, timeout=5):\n    text = zone.get(name.decode() if isinstance(name, bytes) else name)\n    return text and text.encode()\n` +
      `for path in sys.argv[2:]:\n    d = dkim.DKIM(open(path, 'rb').read())\n    print(path, d.verify(idx=0, dnsfunc=txt), d.verify(idx=1, dnsfunc=txt))\n`,
  );
  const all = files(await arriving);
  const run = spawnSync('/usr/bin/python3', [script, zone, ...all.map(([, path]) => path)], { encoding: 'utf8' });
  const results = run.stdout.trim().split('\n');
  for (const [index, [name, path]] of all.entries())
    assert.equal(results[index], `${path} True True`, `${name}: ${run.stderr}`);
});

test('Mail::DKIM verifies every message, Ed25519 too where it knows that', peerOptions('perl'), async (t) => {
  if (spawnSync('perl', ['-MMail::DKIM::Verifier', '-e', '1']).status !== 0) {
    if (process.env['CI']) throw new Error('Mail::DKIM is not installed');
    return t.skip('Mail::DKIM is not installed');
  }
  const script = join(folder, 'verify.pl');
  const zone = Object.entries(records)
    .map(([name, text]) => `'${name}' => '${text}'`)
    .join(', ');
  writeFileSync(
    script,
    `use Mail::DKIM::Verifier; use Mail::DKIM::DNS; use Net::DNS; no warnings 'redefine';\nmy %zone = (${zone});\n` +
      `*Mail::DKIM::DNS::query = sub { my ($name) = @_; return Net::DNS::RR->new(owner => $name, type => 'TXT', txtdata => [$zone{$name} =~ /.{1,250}/g]) };\n` +
      `for my $path (@ARGV) { open my $in, '<:raw', $path or die; my $d = Mail::DKIM::Verifier->new; $d->load($in); print join(' ', map { $_->result_detail } $d->signatures), "\\n"; }\n`,
  );
  const all = files(await arriving);
  const { stdout, stderr } = spawnSync('perl', [script, ...all.map(([, path]) => path)], { encoding: 'utf8' });
  const results = stdout.trim().split('\n');
  for (const [index, [name]] of all.entries())
    assert.match(
      results[index]!,
      /^pass (pass|invalid \(unsupported algorithm ed25519-sha256\))$/,
      `${name}: ${stderr}`,
    );
});

test('OpenDKIM verifies every message', peerOptions('opendkim'), async () => {
  const keys = join(folder, 'keys.txt');
  writeFileSync(
    keys,
    `${Object.entries(records)
      .map(([name, text]) => `${name} ${text}`)
      .join('\n')}\n`,
  );
  const conf = join(folder, 'opendkim.conf');
  writeFileSync(conf, `Mode v\nTestPublicKeys ${keys}\nUserID root\n`);
  for (const [name, path] of files(await arriving)) {
    const { stdout, stderr } = spawnSync(findPeer('opendkim')!, ['-x', conf, '-t', path], { encoding: 'utf8' });
    assert.match(stdout + stderr, /verification \(s=\w+,? d=sender\.example.*succeeded/, `${name}: ${stdout}${stderr}`);
  }
});
