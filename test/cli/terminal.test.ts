// What strangers wrote cannot drive the terminal it is shown on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CliWorld } from '#cli/command.ts';
import { commands } from '#cli/commands.ts';
import { runCli } from '#cli/run-cli.ts';
import { opsAnswer } from '#test/support/fakes/ops-answer.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';
import { emptyStreams } from '#test/support/worlds/run-pillarbox.ts';

const hostile = 'x\u001b]0;owned\u0007\u009b2J\u202e\u061c\u2067\nFAKE';
const message = {
  id: '01KAJZ3M8R0000000000000000',
  receivedAt: '2026-11-21T12:00:00.000Z',
  mailboxes: ['bob@ours.example'],
  from: hostile,
  subject: hostile,
  disposition: 'accept',
  bytes: 1,
};

async function run(argv: readonly string[], answer: () => Response): Promise<string> {
  let shown = '';
  const world: CliWorld = {
    version: '1.2.3',
    self: 'pillarbox',
    standardStreams: emptyStreams(),
    write: (text) => {
      shown += String(text);
    },
    writeError: (text) => {
      shown += text;
    },
    columns: null,
    readInput: async () => Buffer.alloc(0),
    askSecretly: null,
    editFile: null,
    environment: {},
    directory: '/tmp',
    publicAddresses: () => [],
    dnsServers: () => [],
    openResolver: () => assert.fail('no DNS'),
    openDeployment: async () => assert.fail('not on AWS'),
    dataBackup: { backup: async () => assert.fail('no backup'), restore: async () => assert.fail('no restore') },
    clock: Date.now,
    fetch: async () => answer(),
  };
  await runCli(argv, { commands, world });
  return shown;
}

const list = () => opsAnswer({ messages: [message], next: null });
const id = message.id;
const whole = sampleMessage({
  subject: hostile,
  from: [{ name: hostile, address: 'bob@b.example', group: null }],
  headers: [{ name: 'Subject', raw: '', value: hostile }],
  text: `one ${hostile}`,
});
const show = () => opsAnswer(whole);
const refusal = () => opsAnswer({ error: { code: 'odd', message: hostile } }, 404);

for (const { title, argv, answer } of [
  { title: 'the list', argv: ['list'], answer: list },
  { title: 'the list as JSON', argv: ['list', '--json'], answer: list },
  { title: 'a message', argv: ['show', id], answer: show },
  { title: 'its header', argv: ['show', id, '--headers'], answer: show },
  { title: 'an error', argv: ['list'], answer: refusal },
  { title: 'an error as JSON', argv: ['list', '--json'], answer: refusal },
]) {
  test(`${title} has no control or direction characters`, async () => {
    const shown = await run(argv, answer);
    assert.match(shown, /owned/);
    assert.doesNotMatch(shown.replaceAll('\n', ''), /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u);
    if (argv.includes('--json')) assert.ok(JSON.stringify(JSON.parse(shown)).includes('\u009b2J'));
  });
}
