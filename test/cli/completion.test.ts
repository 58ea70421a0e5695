// Completion is made of the table of commands: bash, zsh and fish complete what there is, by the script that people source.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { commands } from '#cli/commands.ts';
import { startOptions } from '#ops/start-options.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

const cases = [
  { typed: '', offers: ['start', 'list', 'settings', 'user'], not: ['add', 'rain.csv'] },
  { typed: 'se', offers: ['send', 'settings'], not: ['list'] },
  { typed: 'user ', offers: ['add', 'list', 'remove'], not: ['--may-from', 'list-id', 'rain.csv'] },
  { typed: 'user add --m', offers: ['--may-from'], not: ['--smtp'] },
  { typed: 'user list --', offers: ['--config', '--json'], not: ['--mailbox', '--after', '--smtp'] },
  { typed: 'list --', offers: ['--mailbox', '--json', '--data'], not: ['--smtp', '--config'] },
  { typed: 'list ', offers: [], not: ['rain.csv', 'add'] },
  { typed: 'chaos ', offers: ['off', 'set'], not: ['rain.csv'] },
  { typed: 'chaos set --', offers: ['--url'], not: ['--limit'] },
  { typed: 'chaos --l', offers: ['--limit'], not: ['--mailbox'] },
  { typed: 'settings d', offers: ['django', 'dotnet'], not: ['rails'] },
  { typed: 'settings django d', offers: [], not: ['dotnet'] },
  { typed: '--smtp 0 --ht', offers: ['--http', '--http-host'], not: ['--mailbox'] },
  { typed: 'start --ht', offers: ['--http', '--http-host'], not: ['--mailbox'] },
  { typed: 'start --smtp ', offers: [], not: ['--http', 'rain.csv'] },
  { typed: 'start --config r', offers: ['rain.csv'], not: ['--http'] },
  { typed: 'config push r', offers: ['rain.csv'], not: ['restore'] },
  { typed: 'config restore --', offers: ['--stack'], not: ['--resume-deliveries'] },
  { typed: 'restore --', offers: ['--resume-deliveries'], not: ['--limit'] },
] satisfies readonly { typed: string; offers: readonly string[]; not: readonly string[] }[];

/** How each shell is asked; what it shows of a line, the words that it offers among it. */
const typeInShell = 'test/support/peers/type-in-shell.py';
const lines = cases.map(({ typed }) => `pillarbox ${typed}`);
const typing = (command: string, first: string) => (directory: string) => {
  const args = [typeInShell, command, `cd ${directory}; ${first}`, JSON.stringify(lines)];
  return JSON.parse(execFileSync('python3', args, { encoding: 'utf8' })) as string[];
};
const shells = [
  {
    shell: 'bash',
    peers: ['bash', 'python3'],
    ask: typing(
      'bash --norc --noprofile -i',
      `bind 'set show-all-if-ambiguous on'; bind 'set completion-query-items 0'; bind 'set page-completions off'; source <(cat script)`,
    ),
  },
  {
    shell: 'zsh',
    peers: ['zsh', 'python3'],
    ask: typing('zsh -f -i', 'LISTMAX=9999; unsetopt automenu listambiguous beep; source <(cat script)'),
  },
  {
    shell: 'fish',
    peers: ['fish'],
    ask: (directory: string) => {
      const asks = `cat script | source; for line in $argv; complete -C $line | string replace -r '\\t.*' ''; echo ==; end`;
      const args = ['--no-config', '-c', asks, ...lines];
      const environment = { ...process.env, HOME: directory, TERM: 'dumb', XDG_CONFIG_HOME: directory };
      return execFileSync('fish', args, { cwd: directory, encoding: 'utf8', env: environment }).split('==\n');
    },
  },
];

for (const { shell, peers, ask } of shells) {
  describe(`completion in ${shell}`, peerOptions(...peers), () => {
    let directory = '';
    let shown: readonly string[] = [];
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), 'pillarbox-completion-'));
      await writeFile(join(directory, 'rain.csv'), '');
      await writeFile(join(directory, 'script'), (await runInProcess(['completion', shell])).out);
      shown = ask(directory);
    });
    after(() => rm(directory, { recursive: true }));

    for (const [n, { typed, offers, not }] of cases.entries()) {
      test(`"pillarbox ${typed}" and Tab offers ${offers.join(', ') || 'nothing'}`, () => {
        const words = (shown[n] ?? '').split(/\s+/);
        for (const word of offers) assert.ok(words.includes(word), `${word} in ${words.join(' ')}`);
        for (const word of not) assert.ok(!words.includes(word), `no ${word} in ${words.join(' ')}`);
      });
    }
  });
}

test('the scripts for zsh and fish name every command and option', async () => {
  const [zsh, fish] = await Promise.all(
    ['zsh', 'fish'].map(async (one) => (await runInProcess(['completion', one])).out),
  );
  for (const { name, options } of commands) {
    for (const word of name.split(' ')) assert.match(fish!, new RegExp(`-a ${word}(?: |$)`, 'm'));
    for (const option of Object.keys(options).filter((one) => options[one]?.hidden !== true)) {
      assert.match(zsh!, new RegExp(`--${option}\\b`));
      assert.match(fish!, new RegExp(`-l ${option} `));
    }
  }
  for (const option of Object.keys(startOptions)) assert.match(fish!, new RegExp(`-l ${option} `));
});
