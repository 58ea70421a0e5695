// Every command where things go wrong, with --json and without: it says in clear words what is wrong, ends with the exit code that is
// documented, and shows nobody a stack trace.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CliWorld } from '#cli/command.ts';
import { commands } from '#cli/commands.ts';
import { opsAnswer } from '#test/support/fakes/ops-answer.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

/** What each is called with where nothing is wrong. */
const rightUse: Readonly<Record<string, string>> = {
  init: '--domain a.example',
  check: '',
  'domain add': 'b.example',
  'mailbox add': 'bob@a.example',
  'alias add': 'info@a.example ann',
  'mailbox remove': 'ann@a.example',
  'alias remove': 'info@a.example',
  'domain remove': 'a.example',
  'user add': 'bob@a.example',
  'user list': '',
  'user password': 'ann@a.example',
  'user remove': 'ann@a.example',
  'dkim new': 'a.example',
  'config get': '--stack mail',
  'config edit': '--stack mail',
  'config push': 'pillarbox.json --stack mail',
  'config diff': 'pillarbox.json --stack mail',
  'config history': '--stack mail',
  'config restore': 'last-good --stack mail',
  settings: 'rails',
  send: '--from a@a.example --to b@b.example --server 127.0.0.1:9',
  list: '',
  show: 'ID',
  mark: 'ID',
  tag: 'ID --tags a',
  delete: '--all',
  trace: 'ID',
  replay: 'ID',
  release: 'ID b@b.example',
  accept: 'ID',
  queues: '',
  redrive: 'deliver',
  purge: 'deliver --yes',
  deliveries: '',
  retry: 'ID far.example',
  suppressions: '',
  'suppressions add': 'b@b.example --reason no',
  'suppressions remove': 'b@b.example',
  chaos: '',
  'chaos set': 'on',
  'chaos off': '',
  mcp: '',
  backup: 'saved',
  restore: 'saved',
  completion: 'bash',
};
const argv = (name: string): string[] => `${name} ${rightUse[name]}`.trim().split(/\s+/);

test('the table has each command', () => {
  assert.deepEqual(Object.keys(rightUse).toSorted(), commands.map(({ name }) => name).toSorted());
});

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pillarbox-adversity-'));
  writeFileSync(join(directory, 'broken.json'), '{ "hostname": "mx.a.example", "domans": {} }');
  writeFileSync(join(directory, 'no.json'), 'hostname = mx.a.example');
  mkdirSync(join(directory, 'folder.json'));
});
after(() => rm(directory, { recursive: true }));

/** Runs it both ways; what it says is one and the same. */
async function both(args: readonly string[], { code, over = {} }: { code: number; over?: Partial<CliWorld> }) {
  const named = args.join(' ');
  const [people, programs] = await Promise.all(
    [args, [...args, '--json']].map((one) => runInProcess(one, { directory, ...over })),
  );
  assert.deepEqual([people!.code, programs!.code], [code, code], `${named}\n${people!.err}${programs!.err}`);
  assert.equal(people!.out, '', named);
  const { message, code: word } = JSON.parse(programs!.err).error;
  assert.equal(people!.err, `pillarbox: ${message}\n`, named);
  for (const odd of [/\n\s+at /, /\[object /, /undefined|NaN/, /^\w*Error\b/, /^E[A-Z]{3,}:/])
    assert.doesNotMatch(message, odd, named);
  assert.ok(message.length > 10 && /^[a-z-]+$/.test(word), `${named}: ${word}: ${message}`);
  return message as string;
}

/** But for `mcp`, which asks when an agent does. */
const askers = commands.filter(({ name, options }) => 'url' in options && name !== 'mcp').map(({ name }) => name);
const editors = commands.filter(({ name, options }) => 'config' in options && !['init', 'backup'].includes(name));
const fetchFailing = (cause: object) => async () => {
  throw Object.assign(new TypeError('fetch failed'), { cause });
};
const cause = (code: string, message: string) => Object.assign(new Error(message), { code });

const servers: readonly { title: string; fetch: CliWorld['fetch']; says: RegExp; notRaw?: boolean }[] = [
  {
    title: 'no server',
    fetch: fetchFailing(cause('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:8025')),
    says: /^no server is running at http:\/\/127\.0\.0\.1:8025\. Start it with "pillarbox", or name/,
  },
  {
    title: 'a host that is not there',
    fetch: fetchFailing(cause('ENOTFOUND', 'getaddrinfo ENOTFOUND mail.test')),
    says: /^no Pillarbox server answers \(getaddrinfo ENOTFOUND mail\.test\) at http/,
  },
  {
    title: 'a server that says nothing',
    fetch: async () => Promise.reject(new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
    says: /^no answer from the server at http/,
  },
  {
    title: 'a wrong token',
    fetch: async () => opsAnswer({ error: { code: 'token-needed', message: 'send the token' } }, 401),
    says: /^http:\S+ wants its token, or another one: set PILLARBOX_TOKEN to it; .* secrets\/ops-token of its data folder$/,
  },
  {
    title: 'another server',
    fetch: async () => new Response('<h1>502 Bad Gateway</h1>', { status: 502 }),
    says: /^what answers at http:\S+ is not Pillarbox, or too old a version of it \(status 502, text\/plain;charset=UTF-8\): name the server with --url$/,
  },
  {
    title: 'another service that has a page for every path',
    fetch: async () =>
      new Response('<h1>From: Welcome</h1>', { headers: { 'content-type': 'text/html; charset=\u009butf-8' } }),
    says: /^what answers at http:\S+ is not Pillarbox, .* \(status 200, text\/html; charset= utf-8\)/,
  },
  {
    title: 'another service that answers JSON of the same form',
    fetch: async () => Response.json({ messages: [], next: null }),
    says: /^what answers at http:\S+ is not Pillarbox, .* \(status 200, application\/json\)/,
  },
  {
    title: 'a Pillarbox of a later version',
    fetch: async () => Response.json({}, { headers: { 'pillarbox-api': '7' } }),
    says: /^the Pillarbox server at http:\S+ is of another version: it has version 7 of the API, and this command line needs 1$/,
  },
  {
    title: 'a server that breaks off',
    fetch: async () => opsAnswer(new ReadableStream({ start: (to) => to.error(new TypeError('terminated')) })),
    says: /^the server at http:\S+ broke off its answer: is it still running\?$/,
  },
  {
    title: 'a server that answers something else',
    fetch: async () => opsAnswer({ hello: 'world' }),
    says: /^the server's answer is not understood: is it of another version\?$/,
  },
];

for (const { title, fetch, says } of servers) {
  test(`${title}: each command that asks one says so (exit code 1)`, async () => {
    // These take any answer that is no refusal: it says nothing but that it was done.
    const takesAny = ['retry', 'suppressions add', 'suppressions remove'];
    for (const name of askers.filter(
      (one) => title !== 'a server that answers something else' || !takesAny.includes(one),
    )) {
      assert.match(await both(argv(name), { code: 1, over: { fetch } }), says, name);
    }
  });
}

test('what the server finds wrong with an option is told by the name of the option, as a wrong command line (exit code 2)', async () => {
  const message = 'limit: expected a whole number from 1 to 500';
  const fetch = async () => opsAnswer({ error: { code: 'bad-parameter', message, parameter: 'limit' } }, 400);
  assert.equal(await both(['list', '--limit', 'x'], { code: 2, over: { fetch } }), `--${message}`);
});

test('a data folder that is named and has no server leads to no other server', async () => {
  const over = { fetch: async () => assert.fail('asked a server') };
  const none =
    /^no server is running on the data folder \/none here\. Start one with "pillarbox --data '\/none here'", or name another\.$/;
  for (const line of [['list'], ['send', '--from', 'a@a.example', '--to', 'b@b.example']])
    assert.match(await both([...line, '--data', '/none here'], { code: 1, over }), none);
});

test('nothing that another service answers is taken for the bytes of a message', async () => {
  const fetch = async () => new Response('<h1>Welcome</h1>', { headers: { 'content-type': 'text/html' } });
  const { code, out, err } = await runInProcess(['show', sampleMessage({}).id, '--raw'], { fetch });
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /is not Pillarbox/);
});

for (const [file, says] of [
  ['none.json', /^there is no \S+none\.json\. Make one with "pillarbox init", or name it with --config\.$/],
  [
    'broken.json',
    /^\S+broken\.json cannot be used:\n {2}domans: there is no such setting; did you mean "domains"\?|domans/,
  ],
  ['no.json', /^\S+no\.json cannot be used:\n {2}line 1, column 1: not JSON/],
  ['folder.json', /^\S+folder\.json cannot be read: /],
] as const) {
  test(`a configuration that cannot be used (${file}): each command that reads one says why (exit code 1)`, async () => {
    for (const { name } of editors) {
      const input = { readInput: async () => Buffer.from('correct horse\n') };
      assert.match(await both([...argv(name), '--config', file], { code: 1, over: input }), says, name);
    }
  });
}

test('a wrong command line: each command says what is wrong with it, and does nothing (exit code 2)', async () => {
  const over: Partial<CliWorld> = {
    fetch: async () => assert.fail('asked a server'),
    openDeployment: async () => assert.fail('opened a deployment'),
  };
  for (const { name, takes, options } of commands) {
    const usage = /^usage: pillarbox /;
    assert.match(await both([...argv(name), '--nonsense'], { code: 2, over }), /^there is no --nonsense here\./, name);
    const many = Array.from({ length: takes[1] + 1 }, (_, n) => `w${n}`);
    if (takes[1] < 100) assert.match(await both([...name.split(' '), ...many], { code: 2, over }), usage, name);
    if (takes[0] > 0) assert.match(await both(name.split(' '), { code: 2, over }), usage, name);
    const [valued] = Object.entries(options).find(([, { value, hidden }]) => value !== null && !hidden) ?? [];
    if (valued !== undefined) {
      assert.match(
        await both([...name.split(' '), ...many.slice(0, takes[0]), `--${valued}`], { code: 2, over }),
        new RegExp(`^--${valued} needs a value`),
      );
    }
    if (!('stack' in options))
      assert.match(await both([...argv(name), '--stack', 'mail'], { code: 2, over }), /^--stack does not go with/);
  }
  for (const [line, says] of [
    ['nonsense', /^there is no command "nonsense"\./],
    ['lits', /Did you mean "list"\?/],
    ['user', /^user what\? There is: user add,/],
    ['settings nope', /^nope: there is rails, /],
    ['completion tcsh', /^tcsh: there is bash, zsh, fish$/],
    ['list --url nope', /^nope is no URL of a server: expected http:\/\/HOST:PORT$/],
    ['list --url localhost:8025', /^localhost:8025 is no URL of a server/],
    ['send --from a@a.example --to b@b.example --server here', /^--server here: expected HOST:PORT$/],
    ['send --from a@a.example --to b@b.example --server here:99999', /^--server here:99999: expected HOST:PORT$/],
    ['mark', /^say which: /],
    ['delete', /^say which: /],
  ] as const) {
    assert.match(await both(line.split(' '), { code: 2, over }), says, line);
  }
});

test('AWS that cannot be asked: each command for a deployment says so (exit code 1)', async () => {
  const failing = (name: string, message: string) => ({
    openDeployment: async () => Promise.reject(Object.assign(new Error(message), { name })),
  });
  for (const { name } of commands.filter(({ options }) => 'stack' in options)) {
    const args = [
      ...argv(name).filter((word, n, all) => word !== '--stack' && all[n - 1] !== '--stack'),
      '--stack',
      'mail',
      '--region',
      'eu-west-1',
    ];
    const credentials = failing('CredentialsProviderError', 'Could not load credentials from any providers');
    assert.match(await both(args, { code: 1, over: credentials }), /^no AWS credentials were found: log in/, name);
    const denied = failing('AccessDenied', 'User: x is not authorized to perform: sqs:GetQueueUrl');
    assert.match(await both(args, { code: 1, over: denied }), /^AWS does not allow it: .*sqs:GetQueueUrl/, name);
  }
});

describe('in a terminal', () => {
  const hostile = `${'long '.repeat(60)}\u001b[31m`;
  const listed = {
    id: '01KAJZ3M8R0000000000000000',
    receivedAt: '2026-11-21T12:00:00.000Z',
    mailboxes: ['somebody-with-a-long-name@receiver.example'],
    from: 'ann@sender.example',
    subject: hostile,
    disposition: 'accept',
  };
  const fetch = async (url: string | URL | Request) =>
    opsAnswer(String(url).includes('?') ? { messages: [listed], next: null } : sampleMessage({ subject: hostile }));

  for (const columns of [40, 200]) {
    test(`of ${columns} columns the help fits, and a list shows each id whole`, async () => {
      const shown = async (args: readonly string[]) => (await runInProcess(args, { columns, fetch, directory })).out;
      const helps = await Promise.all(
        [['--help'], ...commands.map(({ name }) => [...name.split(' '), '--help'])].map(shown),
      );
      // A word without a blank cannot be broken.
      const wide = helps
        .join('')
        .split('\n')
        .filter((line) => line.length > Math.min(columns, 80) && line.trim().includes(' '));
      assert.deepEqual(wide, []);
      const list = await shown(['list']);
      assert.match(list, columns === 40 ? /^ID: 01KAJZ3M8R0000000000000000$/m : /^01KAJZ3M8R0000000000000000 /m);
      assert.match(list, columns === 40 ? /^FROM: ann@sender\.example$/m : /long l?…$/m);
      if (columns === 200) assert.ok(list.split('\n').every((line) => line.length <= 200));
    });
  }

  test('into a pipe a list is as wide as it is; nothing has colour, with NO_COLOR or without', async () => {
    for (const environment of [{}, { NO_COLOR: '1' }, { FORCE_COLOR: '1' }]) {
      const { out } = await runInProcess(['list'], { columns: null, fetch, directory, environment });
      assert.equal(out.split('\n')[1]?.match(/long /g)?.length, 60);
      assert.ok(!out.includes('\u001b'));
    }
  });
});

/** As a process of its own. `stdio`: of input, output and error. */
async function runProcess(args: readonly string[], stdio: readonly ('pipe' | 'ignore' | number)[], closes = false) {
  const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, ...args], { stdio: [...stdio], cwd: directory });
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    err += piece;
  });
  if (closes) child.stdout?.destroy();
  const [code] = await once(child, 'close');
  return { code, err };
}

test('output into a closed pipe is no failure, on a full disk it is one; a closed input is an empty one', async () => {
  const full = openSync('/dev/full', 'w');
  const [closed, failing, onFull, errFull, input] = await Promise.all([
    runProcess(['completion', 'fish'], ['ignore', 'pipe', 'pipe'], true),
    runProcess(['list', '--url', 'http://127.0.0.1:9'], ['ignore', 'pipe', 'pipe'], true),
    runProcess(['--help'], ['ignore', full, 'pipe']),
    runProcess(['list', '--url', 'http://127.0.0.1:9'], ['ignore', 'pipe', full]),
    runProcess(
      ['send', '--from', 'a@a.example', '--to', 'b@b.example', '--file', '-', '--server', '127.0.0.1:9'],
      ['ignore', 'pipe', 'pipe'],
    ),
  ]);
  assert.deepEqual([closed.code, closed.err], [0, '']);
  assert.deepEqual([failing.code, failing.err.split('\n').length], [1, 2], failing.err);
  assert.deepEqual(
    [onFull.code, onFull.err],
    [1, 'pillarbox: the output cannot be written: ENOSPC: no space left on device, write\n'],
  );
  assert.equal(errFull.code, 1);
  assert.deepEqual([input.code, /^pillarbox: no mail server is listening/.test(input.err)], [1, true], input.err);
});
