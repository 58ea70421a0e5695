import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Arguments, parseArguments, usage } from '#local/terminal/arguments.ts';
import { chooseListeners } from '#local/terminal/choose-listeners.ts';
import { isProblem } from '#mail/problem.ts';
import { environmentName, startOptions } from '#ops/start-options.ts';
import { parseChaos } from '#pipeline/chaos/fault-words.ts';
import { configSchema } from '#pipeline/config/config.ts';

for (const { title, args = [], environment = {}, says } of [
  { title: 'a world that is none', args: ['--world', 'flat'], says: /embedded or emulator/ },
  { title: 'a port that is none', args: ['--http', '99999'], says: /--http 99999: a port from 0 to 65535/ },
  {
    title: 'a port in the environment that is none',
    environment: { PILLARBOX_SMTP: 'x' },
    says: /^PILLARBOX_SMTP=x: /,
  },
  { title: 'an option that is none', args: ['--prot', '1'], says: /--prot/ },
  { title: 'a framework that is none', args: ['--settings', 'rail'], says: /django.*Did you mean "rails"\?/ },
]) {
  test(`${title} is refused in one line that says what there is`, () => {
    const parsed = parseArguments(args, environment);
    assert.ok(isProblem(parsed));
    assert.match(parsed.problem, says);
  });
}

test('what is typed holds before the environment, an empty variable counts as none', () => {
  const environment = {
    PILLARBOX_SMTP: '1025',
    PILLARBOX_SUBMISSION: '',
    PILLARBOX_SMTP_HOST: '0.0.0.0',
    PILLARBOX_HTTP: '9000',
    PILLARBOX_HTTP_HOST: '::1',
    PILLARBOX_DATA: '/data',
    PILLARBOX_CONFIG: 'mail.json',
    PILLARBOX_ANY_LOGIN: '1',
    PILLARBOX_VERBOSE: '0',
    PILLARBOX_CHAOS: 'rcpt-451-10%',
    PILLARBOX_KEEP: '500',
  };
  const { framework, help, chaos, ...asked } = parsed(['--http', '0', '--smtp=26'], environment);
  assert.deepEqual([framework, help], [null, false]);
  assert.deepEqual(chaos, parseChaos('rcpt-451-10%'));
  assert.deepEqual(asked, {
    configPath: 'mail.json',
    dataFolder: '/data',
    ports: { mx: 26 },
    smtpHost: '0.0.0.0',
    anyLogin: true,
    http: { host: '::1', port: 0 },
    world: 'embedded',
    keep: 500,
    verbose: false,
  });
});

test('chaos that a file turns on is turned off', () => {
  assert.equal(parsed(['--chaos', 'off'], { PILLARBOX_CHAOS: 'on' }).chaos, 'off');
});

test('the help names each option and fits a terminal of 80 columns', () => {
  const help = usage('npx pillarbox');
  assert.match(help, /^Usage: npx pillarbox \[start\]/);
  assert.ok(help.split('\n').every(({ length }) => length <= 80));
  for (const name of Object.keys(startOptions)) assert.match(help, new RegExp(`^  --${name}\\b`, 'm'));
  assert.equal(environmentName('http-host'), 'PILLARBOX_HTTP_HOST');
});

const configured = configSchema.parse({}).listeners;
const mx = { role: 'mx', host: '127.0.0.1' } as const;

for (const { title, args, file = configured, hasFile = false, opens } of [
  { title: 'nothing is named: the usual three', args: [], opens: configured },
  {
    title: '--smtp alone, without a configuration: one port',
    args: ['--smtp', '1025'],
    opens: [{ ...mx, port: 1025 }],
  },
  {
    title: '--smtp and --submissions: those two',
    args: ['--smtp', '0', '--submissions', '0'],
    opens: [
      { ...mx, port: 0 },
      { ...mx, role: 'submissions', port: 0 },
    ],
  },
  {
    title: 'with a configuration the others stay as they are',
    args: ['--smtp', '1025'],
    hasFile: true,
    opens: [{ ...mx, port: 1025 }, ...configured.slice(1)],
  },
  {
    title: 'a role that the configuration has not is added; the address is for all',
    args: ['--submission', '587', '--smtp-host', '::'],
    file: [{ ...mx, host: '192.0.2.1', port: 25 }],
    hasFile: true,
    opens: [
      { ...mx, host: '::', port: 25 },
      { role: 'submission', host: '::', port: 587 },
    ],
  },
]) {
  test(`ports that are opened: ${title}`, () => {
    assert.deepEqual(chooseListeners(file, parsed(args), hasFile), opens);
  });
}

function parsed(args: readonly string[], environment = {}): Arguments {
  const asked = parseArguments(args, environment);
  return isProblem(asked) ? assert.fail(asked.problem) : asked;
}
