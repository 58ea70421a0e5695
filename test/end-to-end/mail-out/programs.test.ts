// From a program of others through the service to a receiver of others: swaks, curl, msmtp and Python submit under STARTTLS
// and under TLS, Postfix and smtp-sink receive, and verifiers of others check what was signed with keys of `pillarbox dkim new`.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { generate } from 'selfsigned';
import { findPeer, hasPeer, peerOptions } from '#test/support/peers/peers.ts';
import { type Postfix, startPostfix } from '#test/support/peers/postfix.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { login, type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

const run = promisify(execFile);
const needed = peerOptions('dnsmasq', 'postfix', 'smtp-sink');
const isRoot = process.getuid?.() === 0;
const peers = needed.skip === undefined && !isRoot ? { skip: 'Postfix starts as root only' } : needed;
const folder = temporaryFolder();
const sunk = join(folder, 'sunk');
let service: SendingService;
let postfix: Postfix;
let sink: ChildProcess;
let keys: readonly { name: string; value: string }[] = [];

before(async () => {
  if (peers.skip !== undefined || !hasPeer('dnsmasq')) return;
  const { dkim, records } = newKeys();
  keys = records;
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'mx.far.example' }]);
  postfix = await startPostfix({ cert, key });
  mkdirSync(sunk);
  chmodSync(sunk, 0o777);
  chmodSync(folder, 0o755);
  sink = spawn(findPeer('smtp-sink')!, ['-u', 'nobody', '-d', join(sunk, 'm.'), `127.0.5.1:${postfix.port}`, '100']);
  service = await startSending({
    port: postfix.port,
    zone: {
      a: { 'far.example': '127.0.0.1', 'sink.test': '127.0.5.1' },
      txt: Object.fromEntries(records.map(({ name, value }) => [name, value])),
    },
    config: {
      domains: { 'sender.example': { mailboxes: ['app'], dkim } },
      delivery: { attemptSeconds: 30 },
    },
  });
});
after(async () => {
  sink?.kill();
  await service?.close();
  postfix?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What `pillarbox dkim new` writes and prints. */
function newKeys() {
  const path = join(folder, 'pillarbox.json');
  writeFileSync(path, JSON.stringify({ domains: { 'sender.example': { mailboxes: ['app'] } } }));
  const cli = fileURLToPath(new URL('../../../cli/pillarbox.js', import.meta.url));
  const args = [cli, 'dkim', 'new', 'sender.example', '--config', path, '--json'];
  const printed = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  const config = JSON.parse(readFileSync(path, 'utf8'));
  return {
    records: printed.records.filter(({ name }: any) => name.includes('._domainkey.')) as typeof keys,
    dkim: config.domains['sender.example'].dkim.map(({ selector, privateKey }: any) => ({
      selector,
      privateKey: `file:${join(folder, privateKey.slice('file:'.length))}`,
    })),
  };
}

type Submit = (to: { port: number; implicit: boolean }, mail: { file: string; rcpts: readonly string[] }) => string[];
const programs: Readonly<Record<string, Submit>> = {
  swaks: ({ port, implicit }, { file, rcpts }) => [
    'swaks',
    '--server',
    `127.0.0.1:${port}`,
    implicit ? '--tls-on-connect' : '--tls',
    '--auth',
    'LOGIN',
    '--auth-user',
    login.user,
    '--auth-password',
    login.password,
    '--from',
    login.user,
    '--to',
    rcpts.join(','),
    '--data',
    `@${file}`,
  ],
  curl: ({ port, implicit }, { file, rcpts }) => [
    'curl',
    '-sSk',
    ...(implicit ? [] : ['--ssl-reqd']),
    `${implicit ? 'smtps' : 'smtp'}://127.0.0.1:${port}`,
    '-u',
    `${login.user}:${login.password}`,
    '--mail-from',
    login.user,
    ...rcpts.flatMap((rcpt) => ['--mail-rcpt', rcpt]),
    '-T',
    file,
  ],
  msmtp: ({ port, implicit }, { file, rcpts }) => [
    'sh',
    '-c',
    `msmtp --host=127.0.0.1 --port=${port} --tls=on --tls-starttls=${implicit ? 'off' : 'on'} --tls-certcheck=off --auth=plain ` +
      `--user=${login.user} --passwordeval='echo ${login.password}' --from=${login.user} ${rcpts.join(' ')} < ${file}`,
  ],
  python3: ({ port, implicit }, { file, rcpts }) => [
    '/usr/bin/python3',
    '-c',
    `import smtplib, ssl
c = ssl._create_unverified_context()
s = smtplib.SMTP_SSL('127.0.0.1', ${port}, context=c) if ${implicit ? 'True' : 'False'} else smtplib.SMTP('127.0.0.1', ${port})
${implicit ? '' : 's.starttls(context=c)'}
s.login('${login.user}', '${login.password}')
s.sendmail('${login.user}', ${JSON.stringify(rcpts)}, open('${file}', 'rb').read())
s.quit()`,
  ],
};

const subjects: string[] = [];
describe('programs of others', { concurrency: 4, ...peers }, () => {
  for (const [program, command] of Object.entries(programs)) {
    for (const implicit of [false, true]) {
      const subject = `${program} under ${implicit ? 'TLS' : 'STARTTLS'}`;
      subjects.push(subject);
      it(`${subject} submits to Postfix and smtp-sink`, peerOptions(program), async () => {
        const file = join(folder, `${subject}.eml`.replaceAll(' ', '-'));
        writeFileSync(
          file,
          `From: <${login.user}>\r\nTo: b@far.example\r\nSubject: ${subject}\r\n\r\nHello.\r\n.\r\n..\r\n`,
        );
        const port = implicit ? service.ports.submissions : service.ports.submission;
        const [name = '', ...args] = command({ port, implicit }, { file, rcpts: ['b@far.example', 'c@sink.test'] });
        await run(name, args, { timeout: 20_000 });
        const isHere = (text: string): boolean => text.includes(`Subject: ${subject}\n`);
        const got = await eventually('it is at Postfix', async () => (await postfix.messages(0)).find(isHere));
        assert.match(got, /\n\nHello\.\n\.\n\.\.\n/);
        assert.match(got, /^Message-ID: /im, 'it was given a Message-ID where it lacked one');
        assert.match(got, /^Date: /im);
        await eventually('it is at smtp-sink', () => sinkTexts().some((text) => isHere(text.replaceAll('\r\n', '\n'))));
      });
    }
  }
});

describe('after all of them', { ...peers }, () => {
  it('each message came once', async () => {
    const texts = await postfix.messages(subjects.length);
    const counts = subjects.map((subject) => texts.filter((text) => text.includes(`Subject: ${subject}\n`)).length);
    assert.deepEqual(
      counts,
      subjects.map(() => 1),
    );
  });
});

function sinkTexts(): string[] {
  return readdirSync(sunk).map((name) => readFileSync(join(sunk, name), 'latin1'));
}

const head = `From: Ann  <${login.user}>\r\nTo: b@far.example\r\nSubject: NAME\r\n\t and  more \r\nX-Odd:\r\n`;
const odd: Readonly<Record<string, string | Buffer>> = {
  plain: `${head}\r\nHello.\r\n`,
  empty: `${head}\r\n`,
  blanks: `${head}\r\nHello.\r\n\r\n\r\n\r\n`,
  onlyblanks: `${head}\r\n\r\n\r\n`,
  spaces: `${head}\r\n a  b \t c \t \r\n\t\r\n \r\nd\r\n  \r\n`,
  dots: `${head}\r\n.\r\n..\r\n.a\r\n...\r\n. \r\nend.\r\n.\r\n`,
  long: `${head}\r\n${'x'.repeat(990)}\r\n${' y'.repeat(490)}\r\n`,
  verylong: `${head}\r\n${'x'.repeat(9_000)}\r\n`,
  eightbit: Buffer.concat([Buffer.from(`${head}\r\nfür `), Buffer.from([0xff, 0xfe, 0x80, 0x0d, 0x0a])]),
  folded: `${head}Cc: ${Array.from({ length: 100 }, (_, n) => `u${n}@far.example`).join(',\r\n ')}\r\n\r\nHi\r\n`,
  large: `${head}\r\n${'A line of some length, with a  double space. \r\n'.repeat(12_000)}`,
};

describe('signatures', { ...peers }, () => {
  const files = new Map<string, string>();

  it('odd bodies arrive signed with both keys', async () => {
    const smtp = await rawSmtp(service.ports.submissions, { tls: true });
    await smtp.command('EHLO client.sender.example');
    await smtp.command(`AUTH PLAIN ${Buffer.from(`\0${login.user}\0${login.password}`).toString('base64')}`);
    for (const [name, content] of Object.entries(odd)) {
      const text = Buffer.from(Buffer.from(content).toString('latin1').replace('NAME', `odd-${name}`), 'latin1');
      const parameters = { mail: 'BODY=8BITMIME', rcpt: '' };
      const said = await sendRaw(smtp, { from: login.user, to: ['b@far.example'], content: text, parameters });
      assert.match(said, /^250/, name);
    }
    const chunk = head.replace('NAME', 'odd-noend').concat('\r\nthe last line does not end');
    for (const line of [`MAIL FROM:<${login.user}>`, 'RCPT TO:<b@far.example>']) await smtp.command(line);
    await smtp.write(`BDAT ${chunk.length} LAST\r\n${chunk}`);
    assert.match(await smtp.reply(), /^250/, 'no final newline');
    smtp.close();
    for (const name of [...Object.keys(odd), 'noend']) {
      const text = await eventually(`odd-${name} is there`, async () =>
        (await postfix.messages(0)).find((one) => one.includes(`Subject: odd-${name}\n`)),
      );
      assert.equal(text.match(/^DKIM-Signature: v=1; a=(rsa|ed25519)-sha256;/gm)?.length, 2, name);
      const path = join(folder, `odd-${name}.eml`);
      writeFileSync(path, text.replaceAll('\n', '\r\n'), 'latin1'); // a Maildir has no CR at the ends of lines
      files.set(name, path);
    }
  });

  it('bare line feeds are refused before anything is signed', async () => {
    for (const bare of ['a\nb\r\n', 'a\rb\r\n', '\n.\n', 'a\n']) {
      const content = Buffer.from(`From: <${login.user}>\r\nSubject: bare\r\n\r\n${bare}\r\n`);
      assert.match(await service.submit({ to: ['b@far.example'], content }), /^550 5\.6\.11 /, JSON.stringify(bare));
    }
  });

  it(
    'dkimpy verifies both, with the keys from the DNS',
    moduleOptions('/usr/bin/python3', '-c', 'import dkim, dns.resolver'),
    () => {
      const script = join(folder, 'verify.py');
      writeFileSync(
        script,
        `import dkim, dns.resolver, sys
r = dns.resolver.Resolver(configure=False); r.nameservers = ['127.0.0.1']; r.port = int(sys.argv[1])
txt = lambda name, timeout=5: b''.join(r.resolve(name.decode(), 'TXT')[0].strings)
for path in sys.argv[2:]:
    d = dkim.DKIM(open(path, 'rb').read()); print(d.verify(idx=0, dnsfunc=txt), d.verify(idx=1, dnsfunc=txt))
`,
      );
      judge('/usr/bin/python3', [script, portOf(service.dns)], /^True True$/);
    },
  );

  it(
    'Mail::DKIM verifies both, with the keys from the DNS',
    moduleOptions('perl', '-MMail::DKIM::Verifier', '-e', '1'),
    () => {
      const script = join(folder, 'verify.pl');
      writeFileSync(
        script,
        `use Mail::DKIM::Verifier; use Mail::DKIM::DNS; use Net::DNS; my $port = shift;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $port));
for my $path (@ARGV) { open my $in, '<:raw', $path or die; my $d = Mail::DKIM::Verifier->new; $d->load($in); print join(' ', sort map { $_->result_detail } $d->signatures), "\\n"; }
`,
      );
      judge(
        'perl',
        [script, portOf(service.dns)],
        /^(pass pass|invalid \(unsupported algorithm ed25519-sha256\) pass)$/,
      );
    },
  );

  it('OpenDKIM verifies', peerOptions('opendkim'), () => {
    const [table, conf] = [join(folder, 'keys.txt'), join(folder, 'opendkim.conf')];
    writeFileSync(table, keys.map(({ name, value }) => `${name} ${value}\n`).join(''));
    writeFileSync(conf, `Mode v\nTestPublicKeys ${table}\nUserID root\n`);
    for (const [name, path] of files) {
      const { stdout, stderr } = spawnSync(findPeer('opendkim')!, ['-x', conf, '-t', path], { encoding: 'utf8' });
      assert.match(stdout + stderr, /verification \(s=\S+ d=sender\.example.*succeeded/, `${name}: ${stdout}${stderr}`);
    }
  });

  function judge(command: string, args: string[], verdict: RegExp): void {
    assert.equal(files.size, Object.keys(odd).length + 1);
    const { stdout, stderr } = spawnSync(command, [...args, ...files.values()], { encoding: 'utf8' });
    const lines = stdout.trim().split('\n');
    for (const [n, name] of [...files.keys()].entries()) assert.match(lines[n] ?? '', verdict, `${name}: ${stderr}`);
  }
});

function portOf(server: string): string {
  return server.split(':')[1]!;
}

/** Skips where the interpreter cannot load what it needs; fails under CI. */
function moduleOptions(command: string, ...args: string[]): { skip?: string } {
  if (spawnSync(command, args).status === 0) return {};
  if (process.env['CI']) throw new Error(`${command} ${args.join(' ')} does not work here`);
  return { skip: `needs ${args.join(' ')}` };
}
