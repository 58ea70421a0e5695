// The DNS servers that are configured: they answer after a moment, fail now and then, or are mute for a while.
import { currentProcess } from '#test/simulation/engine/process.ts';
import { type FaultyWorld, isWithin } from '#test/simulation/faults.ts';
import { askZone } from './places.ts';

const muteMs = 10_000;

/** Makes them: one question, answered as `dns.promises.resolve` does. */
export function simDns(world: FaultyWorld): (name: string, type: string) => Promise<unknown> {
  const { clock, random, note, mayFail, trouble } = world;
  const { dns } = world.faults;
  return async (name, type) => {
    const asker = currentProcess();
    if (asker === null || asker.call() !== 'go') {
      asker?.kill();
      return new Promise(() => {});
    }
    const isMute = mayFail() && isWithin(dns.isMute, clock.now() - clock.startMs);
    const fails = isMute || (mayFail() && random.chance(dns.fails));
    const code = isMute ? 'ETIMEOUT' : random.pick(['ETIMEOUT', 'ESERVFAIL']);
    if (fails) {
      trouble('dns', 0);
      note(`${asker.name} asks ${name} ${type}: ${code}`);
    }
    const waitMs = fails && code === 'ETIMEOUT' ? muteMs : random.between(1, 80);
    await new Promise<void>((resolve) => {
      clock.in(waitMs, () => asker.enter(resolve));
    });
    if (fails) throw Object.assign(new Error(code), { code });
    return askZone(name, type);
  };
}
