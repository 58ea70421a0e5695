// docs/cli.md is what the table of commands makes: `npm run docs:cli` writes it anew.
import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from '#cli/command.ts';
import { commands } from '#cli/commands.ts';
import { errorTable } from '#cli/error-codes.ts';
import { exitCodes, exitCodeTable } from '#cli/exit-codes.ts';
import { shownOptions } from '#cli/run-cli.ts';
import { inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { markdownTable } from '#test/support/peers/client-docs.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';
import { home } from './read-docs.ts';
import { shapeText } from './shape-text.ts';

const path = join(home, 'docs/cli.md');

test('docs/cli.md has every command with its options, what --json prints and its exit codes, as they are', () => {
  const page = cliPage();
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, page);
  assert.equal(readFileSync(path, 'utf8'), page, 'npm run docs:cli writes it anew');
});

test('every error code of the table is that of a command', () => {
  const source = globSync('cli/**/*.ts', { cwd: home })
    .filter((file) => !file.endsWith('error-codes.ts'))
    .map((file) => readFileSync(join(home, file), 'utf8'))
    .join('\n');
  for (const code of Object.keys(errorTable)) assert.ok(source.includes(`'${code}'`), `no command fails with ${code}`);
});

test('the help has the same table of exit codes, and that of a command what its exit code 3 says', async () => {
  const { out } = await runInProcess(['--help']);
  const words = out.replace(/\s+/g, ' ');
  for (const { code, about } of exitCodeTable) assert.ok(words.includes(`${code} ${about}`), out);
  for (const { name, finds } of commands) {
    const help = (await runInProcess([...name.split(' '), '--help'])).out.replace(/\s+/g, ' ');
    assert.equal(help.includes(`Exit code ${exitCodes.foundProblems} ${finds ?? ''}`), finds !== undefined, help);
  }
});

test('the help is there for programs, too', async () => {
  const { commands: all, exitCodes: table } = JSON.parse((await runInProcess(['--help', '--json'])).out);
  assert.deepEqual(
    all.map(({ name }: { name: string }) => name),
    commands.map(({ name }) => name),
  );
  assert.deepEqual(table, exitCodeTable);
  const { commands: one } = JSON.parse((await runInProcess(['user', 'add', '--help', '--json'])).out);
  const { options } = one[0];
  assert.deepEqual(options[0], {
    name: 'may-from',
    value: 'ADDRESS',
    about: 'a sender address it may use, or *@domain; again for more (default NAME)',
    many: true,
  });
  assert.ok(!options.some(({ name }: { name: string }) => name === 'endpoint'), 'what is hidden is for tests');
});

function cliPage(): string {
  return [
    '# The command line',
    '',
    '<!-- Written by `npm run docs:cli` from the table of commands. -->',
    '',
    'Each command has `--json`, and `--help`, which says the same of it as this page. What the commands are for: [operations.md](operations.md#the-command-line).',
    '',
    '## Exit codes',
    '',
    markdownTable(
      ['code', 'meaning'],
      exitCodeTable.map(({ code, about }) => [String(code), about]),
    ),
    '',
    'With `--json` standard output has one JSON value of the form that is shown for the command, if the exit code is 0 or 3. If it is 1 or 2,',
    'standard output is empty, and the last line of standard error is `{"error":{"code":"…","message":"…"}}`, whose `code` is a word that stays',
    'the same ([below](#error-codes)). Names may be added to a form in a later version; none is taken away or given another meaning.',
    '',
    '## Error codes',
    '',
    'The words that `error.code` may be. What the server refuses, it refuses with a word of [its API](api.md#refusals) instead; the exit code is 1 then, but 2 for `bad-parameter`.',
    '',
    markdownTable(
      ['`code`', 'exit code', 'when', 'what to do'],
      Object.entries(errorTable).map(([code, { exit, about, mend }]) => [`\`${code}\``, String(exit), about, mend]),
    ),
    '',
    '## Commands',
    '',
    ...commands.map(({ name, about }) => `- [\`${name}\`](#${name.replaceAll(' ', '-')}): ${about}`),
    '',
    ...commands.flatMap(section),
  ].join('\n');
}

function section(command: Command): readonly string[] {
  const { name, usage, about, finds, gives } = command;
  const isMessage = gives === inboxMessageSchema;
  return [
    `### ${name}`,
    '',
    '```',
    `pillarbox ${name} ${usage}`.trimEnd(),
    '```',
    '',
    `${about.charAt(0).toUpperCase()}${about.slice(1)}.`,
    '',
    ...optionRows(command),
    ...(finds === undefined ? [] : [`Exit code ${exitCodes.foundProblems} ${finds}.`, '']),
    ...(isMessage
      ? ['`--json` prints [the message](inbox-message.md).', '']
      : ['`--json` prints', '', '```', shapeText(gives), '```', '']),
  ];
}

/** What each command has is said once, above. */
function optionRows(command: Command): readonly string[] {
  const rows = shownOptions(command)
    .filter(([option]) => option !== 'json' && option !== 'help')
    .map(([option, { value, about }]) => {
      const shown = `--${option}${value === null ? '' : ` ${value}`}`;
      return [`\`${shown}\``, about.replaceAll('|', '\\|')];
    });
  return rows.length === 0 ? [] : [markdownTable(['option', 'what'], rows), ''];
}
