import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArguments } from '#local/terminal/arguments.ts';
import { isProblem } from '#mail/problem.ts';

for (const { title, args, says } of [
  { title: 'a world that is none', args: ['--world', 'flat'], says: /embedded or emulator/ },
  { title: 'a port that is none', args: ['--http', '99999'], says: /0 to 65535/ },
  { title: 'an option that is none', args: ['--prot', '1'], says: /--prot/ },
]) {
  test(`${title} is refused in one line that says what there is`, () => {
    const parsed = parseArguments(args);
    assert.ok(isProblem(parsed));
    assert.match(parsed.problem, says);
  });
}
