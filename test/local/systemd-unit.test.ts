// The unit for systemd: its settings are ones that systemd knows, and what it leaves open is little.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { peerOptions } from '#test/support/peers/peers.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';

const unit = readFileSync(fileURLToPath(new URL('../../local/systemd/pillarbox.service', import.meta.url)), 'utf8');
/** In tenths of what "systemd-analyze security" calls the exposure, from 0 to 10; up to 2 it is "ok" with a smile. */
const mostExposure = 20;

test('systemd-analyze finds no fault in the unit, and little exposure', peerOptions('systemd-analyze'), async (t) => {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'pillarbox.service');
  assert.match(
    unit,
    /^ExecStart=\/usr\/bin\/node \/opt\/pillarbox\/node_modules\/pillarbox\/cli\/pillarbox\.js start$/m,
  );
  writeFileSync(file, unit.replace('/usr/bin/node', process.execPath)); // the Node of a server
  const run = promisify(execFile);
  const { stdout, stderr } = await run('systemd-analyze', ['verify', file]);
  assert.equal(`${stdout}${stderr}`, '');
  await run('systemd-analyze', ['security', '--offline=true', `--threshold=${mostExposure}`, '--no-pager', file]);
});
