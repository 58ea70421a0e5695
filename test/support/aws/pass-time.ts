// Lets time pass in the emulator world without waiting for it: while something is under way the clock runs as it does, else it
// is set to when the next thing happens (a job comes back, a batch's window ends).
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { WorldTime } from '#local/emulator/world-time.ts';

const realSeconds = 150;

/** Until it is so; by how many seconds of the world's clock that was later. Fails after so many of the world's seconds. */
export async function passTime(
  time: WorldTime,
  what: string,
  isSo: () => Promise<unknown> | unknown,
  mostSeconds = 86_400,
): Promise<number> {
  const [from, realEnd] = [time.clock(), performance.now() + realSeconds * 1_000];
  const passed = () => (time.clock() - from) / 1_000;
  while (!(await isSo())) {
    assert.ok(passed() < mostSeconds, `${what}: not within ${mostSeconds} s`);
    assert.ok(performance.now() < realEnd, `${what}: not while ${realSeconds} s went by here`);
    const next = await time.waitsFor();
    if (next === 'working' || next.nextAt === null) await pause(5);
    else await setClockTo(time, Math.min(next.nextAt, from + mostSeconds * 1_000));
  }
  return passed();
}

/** Until nothing is under way any more but what waits; then so many seconds, in which nothing is due. */
export async function passSeconds(time: WorldTime, seconds: number): Promise<void> {
  const end = time.clock() + seconds * 1_000;
  await passTime(time, `${seconds} s`, async () => {
    const next = await time.waitsFor();
    if (next === 'working') return time.clock() >= end;
    if (next.nextAt !== null && next.nextAt < end) return false;
    await setClockTo(time, end);
    return true;
  });
}

async function setClockTo(time: WorldTime, at: number): Promise<void> {
  const ms = at - time.clock();
  if (ms > 0) await time.setAhead(Math.ceil(time.clock() + ms - Date.now()));
}
