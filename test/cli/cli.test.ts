import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { CliWorld } from '#cli/command.ts';
import { commands } from '#cli/commands.ts';
import { runCli } from '#cli/run-cli.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';
import { verifyPassword } from '#pipeline/config/password.ts';
import { createResolver } from '#pipeline/dns/resolver.ts';
import { opsAnswer } from '#test/support/fakes/ops-answer.ts';
import { emptyStreams } from '#test/support/worlds/run-pillarbox.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pillarbox-cli-'));
});
afterEach(() => rm(directory, { recursive: true }));

type Ran = { readonly code: number; readonly out: string; readonly err: string; readonly asked: string[] };

async function run(
  argv: readonly string[],
  {
    input = '',
    answers = {},
    typed = null,
  }: { input?: string; answers?: Record<string, unknown>; typed?: string[] | null } = {},
): Promise<Ran> {
  const asked: string[] = [];
  let out = '';
  let err = '';
  const world: CliWorld = {
    version: '1.2.3',
    self: 'pillarbox',
    standardStreams: emptyStreams(),
    write: (text) => {
      out += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
    },
    writeError: (text) => {
      err += text;
    },
    columns: null,
    readInput: async () => Buffer.from(input),
    askSecretly: typed === null ? null : async () => typed.shift() ?? '',
    editFile: null,
    environment: {},
    directory,
    publicAddresses: () => [],
    dnsServers: () => [],
    openResolver: (options) => createResolver({ ...options, clock: Date.now }),
    openDeployment: async () => assert.fail('not on AWS'),
    dataBackup: { backup: async () => assert.fail('no backup'), restore: async () => assert.fail('no restore') },
    clock: () => Date.parse('2025-11-21T03:00:00.000Z'),
    fetch: (async (url: URL | string, options: RequestInit = {}) => {
      const path = String(url).replace('http://127.0.0.1:8025', '');
      asked.push(`${options.method} ${path}`);
      const answer = answers[path];
      if (answer === undefined) throw new TypeError('fetch failed');
      return answer instanceof Response ? answer : opsAnswer(answer);
    }) as typeof fetch,
  };
  const code = await runCli(argv, { commands, world });
  return { code, out, err, asked };
}

describe('the command line', () => {
  const wrong = [
    { argv: ['lst'], says: /no command "lst"\. Did you mean "list"\?/ },
    { argv: ['list', '--lmit', '3'], says: /no --lmit here\. Did you mean "limit"\?/ },
    { argv: ['list', '--limit'], says: /--limit needs a value/ },
    { argv: ['list', '--json=yes'], says: /--json takes no value/ },
    { argv: ['show'], says: /usage: pillarbox show ID/ },
    { argv: ['user'], says: /user what\? There is: user add/ },
    { argv: ['send', '--to', 'b@b.example'], says: /say who it is from and to/ },
    { argv: ['purge', 'parse'], says: /say --yes/ },
    { argv: ['settings', 'rail'], says: /there is rails, django, .*Did you mean "rails"\?/ },
    { argv: ['settings', '--server', 'mail'], says: /--server mail: expected HOST:PORT/ },
  ];
  for (const { argv, says } of wrong) {
    test(`"${argv.join(' ')}" is a wrong command line: exit code 2 and a hint`, async () => {
      const { code, err, out } = await run(argv);
      assert.equal(code, 2);
      assert.match(err, says);
      assert.equal(out, '');
    });
  }

  test('the overview fits a terminal of 80 columns', async () => {
    const { out } = await run(['--help']);
    assert.ok(
      out.split('\n').every(({ length }) => length <= 80),
      out,
    );
  });

  test('each command has a help, which fits a terminal of 80 columns', async () => {
    for (const { name } of commands) {
      const { code, out } = await run([...name.split(' '), '--help']);
      assert.ok(
        out.split('\n').every(({ length }) => length <= 80),
        out,
      );
      assert.equal(code, 0);
      assert.match(out, new RegExp(`^Usage: pillarbox ${name}`));
    }
    assert.equal((await run(['--version'])).out, 'pillarbox 1.2.3\n');
  });

  test('settings are those of the server that is named; without one of the usual port, and it says so', async () => {
    const all = JSON.parse((await run(['settings', '--json', '--server', '[::1]:1025'])).out);
    assert.deepEqual([all.host, all.port, all.frameworks.length], ['::1', 1025, 10]);
    for (const { name, settings } of all.frameworks) {
      assert.match(settings, /::1/, name);
      assert.match(settings, /1025/, name);
    }
    const { out, err } = await run(['settings', 'Symfony']);
    assert.match(out, /^MAILER_DSN=smtp:\/\/127\.0\.0\.1:2525$/m);
    assert.match(err, /No server runs in this folder/);
  });

  test('without a server it says how to start one, and with --json as JSON', async () => {
    assert.match((await run(['list'])).err, /no server is running.* Start it with "pillarbox"/);
    assert.equal(JSON.parse((await run(['list', '--json'])).err).error.code, 'no-server');
    assert.equal((await run(['list'])).code, 1);
  });

  test("what a stranger wrote cannot steer the terminal, and the server's refusal is told", async () => {
    const message = {
      id: 'X',
      receivedAt: '2025-11-21T03:00:00.000Z',
      mailboxes: ['a@b.example'],
      from: null,
      subject: 'a\u001b[2Jb\nc',
      disposition: 'accept',
      bytes: 1,
    };
    const { out } = await run(['list'], { answers: { '/api/messages?limit=20': { messages: [message], next: null } } });
    assert.match(out, /a \[2Jb c$/m);
    const refused = opsAnswer({ error: { code: 'not-found', message: 'no message Z' } }, 404);
    const { code, err } = await run(['show', 'Z'], { answers: { '/api/messages/Z': refused } });
    assert.equal(code, 1);
    assert.equal(err, 'pillarbox: no message Z\n');
  });

  test('retry, redrive, purge and suppressions ask for just that', async () => {
    const cases = [
      { argv: ['retry', 'I', 'b.example'], request: 'POST /api/deliveries/I/b.example/retry', answer: {} },
      { argv: ['redrive', 'parse'], request: 'POST /api/queues/parse/redrive', answer: { queue: 'parse', jobs: 2 } },
      {
        argv: ['purge', 'parse', '--yes'],
        request: 'POST /api/queues/parse/purge',
        answer: { queue: 'parse', jobs: 2 },
      },
      {
        argv: ['suppressions', 'remove', 'a@b.example'],
        request: 'DELETE /api/suppressions/a%40b.example',
        answer: {},
      },
      {
        argv: ['suppressions', 'add', 'a@b.example', '--reason', 'left us', '--sender', 'c.example', '--days', '7'],
        request: 'POST /api/suppressions/a%40b.example?reason=left+us&sender=c.example&days=7',
        answer: {},
      },
    ];
    for (const { argv, request, answer } of cases) {
      const { code, asked } = await run(argv, { answers: { [request.split(' ')[1]!]: answer } });
      assert.equal(code, 0);
      assert.deepEqual(asked, [request]);
    }
  });
});

describe('the configuration by command line', () => {
  const path = () => join(directory, 'pillarbox.json');
  const config = async () => parseConfig(await readFile(path(), 'utf8'), 'test');

  test('init writes a good configuration, and never over one that is there', async () => {
    assert.equal((await run(['init', '--domain', 'a.example', '--mailbox', 'ann'])).code, 0);
    assert.equal((await config()).hostname, 'mx.a.example');
    const before = await readFile(path(), 'utf8');
    const again = await run(['init', '--domain', 'b.example']);
    assert.equal(again.code, 1);
    assert.equal(await readFile(path(), 'utf8'), before);
  });

  test('init makes no placeholder public, and says of one that it is', async () => {
    const refused = await run(['init', '--public']);
    assert.deepEqual([refused.code, refused.out], [2, '']);
    assert.match(refused.err, /--public: mx\.example\.org is a placeholder.*--domain/);
    assert.equal((await run(['init', '--public', '--hostname', 'mail'])).code, 2);
    assert.match((await run(['init'])).out, /mx\.example\.org is a placeholder: set "hostname"/);
    const own = await run(['init', '--public', '--domain', 'pillarbox.internal', '--config', 'own.json']);
    assert.equal(own.code, 0, own.err);
    assert.match(await readFile(join(directory, 'own.json'), 'utf8'), /"mx\.pillarbox\.internal"[\s\S]*"0\.0\.0\.0"/);
  });

  test('user add keeps a hash of the password only, and the rest of the file as it was', async () => {
    const written =
      '{ "hostname":   "mx.a.example",\n\t"users": [], "domains": {"a.example": {"mailboxes": ["ann"]}} }\n';
    await writeFile(path(), written);
    await chmod(path(), 0o640);
    const { out, err, code } = await run(['user', 'add', 'ann@a.example', '--may-from', '*@a.example'], {
      input: 'correct horse\n',
    });
    assert.equal(code, 0, err);
    const [user] = (await config()).users;
    assert.ok(await verifyPassword('correct horse', user!.password));
    assert.deepEqual(user!.mayFrom, ['*@a.example']);
    const text = await readFile(path(), 'utf8');
    assert.ok(text.startsWith('{ "hostname":   "mx.a.example",\n\t"users": ['));
    assert.ok(text.endsWith('"domains": {"a.example": {"mailboxes": ["ann"]}} }\n'));
    assert.doesNotMatch(text + out + err, /correct horse/);
    assert.equal((await stat(path())).mode & 0o777, 0o600);
    assert.match(out, /has password hashes: .* \(mode 600, before 640\)/);
  });

  test('user add gives a user’s addresses in our domains a mailbox, so that bounces have somewhere to go', async () => {
    const domains = {
      'a.example': { mailboxes: ['ann'], aliases: { info: ['ann'] } },
      'bücher.example': {},
      'c.example': { mailboxes: ['x'], catchAll: 'x' },
    };
    await writeFile(path(), JSON.stringify({ hostname: 'mx.a.example', domains }));
    const mayFrom = [
      'App+1@a.example',
      'ann@a.example',
      'info@a.example',
      'shop@bücher.example',
      'any@c.example',
      'me@else.example',
      '*@a.example',
    ];
    const add = (...args: string[]) =>
      run(['user', 'add', ...args, ...mayFrom.flatMap((one) => ['--may-from', one])], { input: 'correct horse' });
    const without = await add('app@a.example', '--no-mailbox');
    assert.match(without.out, /app@a\.example is no mailbox: bounces of what is sent from it are lost/);
    const { findings } = JSON.parse((await run(['check', '--json'])).out);
    const told = findings.filter(({ what }: { what: string }) => what.includes('which has no mailbox'));
    assert.deepEqual(
      told.map(({ level, what }: { level: string; what: string }) => [level, what.split(' ')[4]]),
      [
        ['advice', 'app@a.example,'],
        ['advice', 'shop@xn--bcher-kva.example,'],
      ],
    );
    const { out, code, err } = await add('app@a.example', '--replace', '--json');
    assert.equal(code, 0, err);
    assert.deepEqual(JSON.parse(out).mailboxes, ['app@a.example', 'shop@xn--bcher-kva.example']);
    const made = await config();
    assert.deepEqual(
      Object.values(made.domains).map(({ mailboxes }) => mailboxes),
      [['ann', 'app'], ['shop'], ['x']],
    );
    assert.deepEqual(
      JSON.parse((await add('app@a.example', '--replace', '--json')).out).mailboxes,
      [],
      'nothing to do any more',
    );
  });

  test('user add names the domains of its addresses that are not in the configuration, and refuses what is no domain', async () => {
    const domains = { 'a.example': { mailboxes: ['ann'] }, 'bücher.example': {} };
    await writeFile(path(), JSON.stringify({ hostname: 'mx.a.example', domains }));
    const add = (...mayFrom: string[]) =>
      run(['user', 'add', 'ann@a.example', '--replace', ...mayFrom.flatMap((one) => ['--may-from', one])], {
        input: 'correct horse',
      });
    const ours = ['*@a.example', 'ann@BÜCHER.example', '*@*', 'root@mx.a.example', '*@*.a.example'];
    assert.doesNotMatch((await add(...ours)).out, /not among the domains/);
    const { out, code } = await add(...ours, 'ann@Else.example', '*@else.example', '*@*.bücher.example');
    assert.equal(code, 0);
    assert.match(out, /^else\.example is not among the domains of \S+: mail from it leaves without a DKIM signature/m);
    assert.deepEqual(out.match(/^\S+(?= is not among)/gm), ['else.example', 'xn--bcher-kva.example']);
    const refused = await add('ann@a..example');
    assert.equal(refused.code, 2);
    assert.match(refused.err, /ann@a\.\.example: /);
  });

  test('user add of a name that is no address says which addresses there are, with the domain of the file', async () => {
    await run(['init', '--domain', 'a.example']);
    const { err, code } = await run(['user', 'add', 'app'], { input: 'correct horse' });
    assert.equal(code, 2);
    assert.match(err, /--may-from app@a\.example, or --may-from "\*@a\.example"/);
  });

  test('a user is replaced only when that is said, and mistyping changes nothing', async () => {
    await run(['init', '--domain', 'a.example']);
    await run(['user', 'add', 'ann@a.example'], { input: 'first password' });
    assert.match((await run(['user', 'add', 'ann@a.example'], { input: 'second password' })).err, /--replace/);
    const mistyped = await run(['user', 'add', 'ann@a.example', '--replace'], {
      typed: ['second password', 'second passwort'],
    });
    assert.match(mistyped.err, /not the same/);
    assert.ok(await verifyPassword('first password', (await config()).users[0]!.password));
    await run(['user', 'add', 'ann@a.example', '--replace'], { typed: ['second password', 'second password'] });
    assert.equal((await config()).users.length, 1);
    assert.ok(await verifyPassword('second password', (await config()).users[0]!.password));
  });

  test('dkim new makes two keys that only their owner can read, and prints what to publish', async () => {
    await run(['init', '--domain', 'a.example']);
    const { code, out, err } = await run(['dkim', 'new', 'a.example', '--selector', 's1', '--json']);
    assert.equal(code, 0, err);
    const { keys, records } = JSON.parse(out);
    for (const { path: keyPath } of keys) {
      assert.equal((await stat(join(directory, keyPath))).mode & 0o777, 0o600);
      assert.match(await readFile(join(directory, keyPath), 'utf8'), /^-----BEGIN PRIVATE KEY-----/);
    }
    const dkim = (await config()).domains['a.example' as never]!.dkim;
    assert.deepEqual(
      dkim.map(({ selector }) => selector),
      ['s1-rsa', 's1-ed25519'],
    );
    assert.equal(records[1].name, 's1-ed25519._domainkey.a.example');
    assert.match(records[1].value, /^v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=$/);
    assert.doesNotMatch(out, /PRIVATE/);
    assert.equal((await run(['dkim', 'new', 'a.example', '--selector', 's1'])).code, 1);
    assert.equal((await run(['dkim', 'new', 'z.example'])).code, 1);
  });

  test('user add and dkim new leave comments and trailing commas where they are', async () => {
    const written = `// The mail of a.example.
{
  "hostname": "mx.a.example", // as in the DNS
  "domains": {
    "A.Example": { "mailboxes": ["ann"] /* more to come */ },
  },
  "users": [
    // Nobody yet.
  ],
}
`;
    await writeFile(path(), written);
    const added = await run(['user', 'add', 'app@a.example'], { input: 'correct horse' });
    assert.equal(added.code, 0, added.err);
    assert.equal((await run(['dkim', 'new', 'a.example'])).code, 0);
    const text = await readFile(path(), 'utf8');
    const left = text.split('\n').filter((line) => written.split('\n').includes(line));
    assert.deepEqual(
      written.split('\n').filter((line) => !left.includes(line)),
      ['    "A.Example": { "mailboxes": ["ann"] /* more to come */ },'],
    );
    assert.match(text, /"mailboxes": \["ann", "app"\], \/\* more to come \*\/ "dkim": \[/);
    const { domains, users } = await config();
    assert.equal(domains['a.example' as never]!.dkim.length, 2);
    assert.equal(users.length, 1);
  });

  test('a broken file is named with what is wrong in it, and left alone', async () => {
    await writeFile(path(), '{"hostnam": "x.example"}');
    const { code, err } = await run(['user', 'add', 'a@a.example'], { input: 'long enough' });
    assert.equal(code, 1);
    assert.match(err, /hostnam: there is no such setting/);
  });
});
