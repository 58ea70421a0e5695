// kill -9 while many deliveries are under way, and a restart: every message arrives, and one arrives twice at most for each
// connection there was at the kill.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startMx } from '#test/support/peers/scripted-mx.ts';
import { amount } from '#test/support/time/soak.ts';

const total = amount(500, 2_000);
const connections = 5; // delivery.connectionsPerDestination

test(`killed twice during ${total} deliveries: all arrive, doubles only if an answer was in flight`, {
  timeout: 120_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-crash-'));
  const mx = await startMx();
  let child: ChildProcess | null = null;
  t.after(async () => {
    child?.kill('SIGKILL');
    await mx.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const start = (count: number): ChildProcess => {
    const script = join(import.meta.dirname, 'crash-child.ts');
    return spawn(process.execPath, [script, folder, String(mx.port), String(count)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  };
  for (const [run, killAt] of [total / 4, total / 2].entries()) {
    child = start(run === 0 ? total : 0);
    if (run === 0) await said(child, 'ready');
    await reached(child, () => mx.mails.length >= killAt);
    child.kill('SIGKILL');
    await new Promise((resolve) => child?.once('exit', resolve));
  }
  child = start(0);
  await said(child, 'empty');
  const numbers = mx.mails.map(({ content }) => /^X-Number: (\d+)/m.exec(content)![1]);
  assert.equal(new Set(numbers).size, total);
  t.diagnostic(`${numbers.length - total} doubles after two kills`);
  assert.ok(numbers.length - total <= 2 * connections, `${numbers.length - total} doubles`);
});

function said(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (text) => String(text).includes(word) && resolve());
    child.once('exit', () => reject(new Error(`it ended without saying ${word}`)));
  });
}

async function reached(child: ChildProcess, isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    assert.equal(child.exitCode ?? child.signalCode, null, 'it ended before');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
