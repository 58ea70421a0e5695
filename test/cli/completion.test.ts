// Completion is made of the table of commands: bash completes what there is, by the script that people source.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { commands } from '#cli/commands.ts';
import { startOptions } from '#ops/start-options.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

const script = async (shell: string): Promise<string> => (await runInProcess(['completion', shell])).out;

for (const { typed, offers, not = [] } of [
  { typed: [''], offers: ['start', 'list', 'settings', 'user', '--smtp'], not: ['add'] },
  { typed: ['se'], offers: ['send', 'settings'], not: ['list'] },
  { typed: ['user', ''], offers: ['add'], not: ['--may-from', 'list-id'] },
  { typed: ['user', 'add', '--m'], offers: ['--may-from'], not: ['--smtp'] },
  { typed: ['list', '--'], offers: ['--mailbox', '--json', '--data'], not: ['--smtp'] },
  { typed: ['settings', 'd'], offers: ['django', 'dotnet'], not: ['rails'] },
  { typed: ['--smtp', '0', '--ht'], offers: ['--http', '--http-host'] },
  { typed: ['start', '--smtp', ''], offers: [], not: ['--http'] },
  { typed: ['start', '--config', '/etc/host'], offers: ['/etc/hosts'], not: ['--http'] },
]) {
  test(
    `"pillarbox ${typed.join(' ')}" and Tab offers ${offers.join(', ') || 'nothing'}`,
    peerOptions('bash'),
    async () => {
      const asks = `${await script('bash')}
COMP_WORDS=(pillarbox "$@"); COMP_CWORD=$#; _pillarbox; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const offered = execFileSync('bash', ['-c', asks, '-', ...typed], { encoding: 'utf8' })
        .trim()
        .split('\n');
      for (const word of offers) assert.ok(offered.includes(word), `${word} in ${offered.join(' ')}`);
      for (const word of not) assert.ok(!offered.includes(word), `no ${word} in ${offered.join(' ')}`);
      if (offers.length === 0) assert.deepEqual(offered, ['']);
    },
  );
}

test('the scripts for zsh and fish name every command and option', async () => {
  const [zsh, fish] = await Promise.all([script('zsh'), script('fish')]);
  for (const { name, options } of commands) {
    for (const word of name.split(' ')) assert.match(fish, new RegExp(`-a ${word}(?: |$)`, 'm'));
    for (const option of Object.keys(options).filter((one) => options[one]?.hidden !== true)) {
      assert.match(zsh, new RegExp(`--${option}\\b`));
      assert.match(fish, new RegExp(`-l ${option} `));
    }
  }
  for (const option of Object.keys(startOptions)) assert.match(fish, new RegExp(`-l ${option} `));
  assert.match(fish, /-l config -r -F -d/);
});
