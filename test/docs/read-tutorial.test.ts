// How a tutorial is read (tutorials.ts works through each): every command says what is to be seen, and what is shown is compared.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { home } from './read-docs.ts';
import { isAsShown, stepsOf } from './read-tutorial.ts';
import { tutorialPages } from './tutorial-pages.ts';

test('every tutorial is worked through, and says after each command what is to be seen', () => {
  const found = globSync('*.md', { cwd: join(home, 'docs/tutorials') }).sort();
  assert.deepEqual(found, tutorialPages.map(({ name }) => `${name}.md`).sort());
  for (const page of found) {
    const steps = stepsOf(readFileSync(join(home, 'docs/tutorials', page), 'utf8'));
    const silent = steps.filter((step) => step.kind === 'commands' && step.sees === null);
    assert.deepEqual(silent, [], page);
    assert.ok(steps.length > 5, page);
  }
});

test('a block that is no command, no output and no file with a name is refused', () => {
  const block = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\`\n`;
  assert.throws(() => stepsOf(block('text', 'seen')), /line 2: of which command/);
  assert.throws(() => stepsOf(block('js', 'run()')), /line 2: the first line of a file/);
  const typed = block('sh', 'pwd');
  assert.throws(() => stepsOf(typed + block('text', 'a') + block('text', 'b')), /line 8: of which command/);
});

const shown = `ID                          RECEIVED (UTC)       FROM
01M8DXP4P2T6NHX6AM2B579EQ5  2026-11-27 07:14:31  ann@a.example
…
passed in …`;

for (const { printed, is, why } of [
  {
    why: 'ids, times and widths are settled, and … stands for lines or for a part of one',
    printed: `ID                          RECEIVED (UTC)       FROM\n01KAJ5Q8M0AAAAAAAAAAAAAAAA  2027-01-01 00:00:00   ann@a.example\nmore\nand more\npassed in 3 s\n`,
    is: true,
  },
  {
    why: 'another sender',
    printed:
      'ID  RECEIVED (UTC)  FROM\n01KAJ5Q8M0AAAAAAAAAAAAAAAA  2027-01-01 00:00:00  bob@a.example\npassed in 3 s\n',
    is: false,
  },
  {
    why: 'a line more at the end',
    printed:
      'ID  RECEIVED (UTC)  FROM\n01KAJ5Q8M0AAAAAAAAAAAAAAAA  2027-01-01 00:00:00  ann@a.example\npassed in 3 s\nfailed\n',
    is: false,
  },
  { why: 'nothing', printed: '', is: false },
]) {
  test(`what is printed is ${is ? '' : 'not '}what is shown: ${why}`, () => {
    assert.equal(isAsShown(shown, printed), is);
  });
}
