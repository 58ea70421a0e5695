// The embedded world keeps the contracts.
import { openTestWorld } from '#test/support/worlds/embedded-world.ts';
import { intakeContract } from './intake-contract.ts';
import { objectStoreContract } from './object-store-contract.ts';
import { queueContract } from './queue-contract.ts';

objectStoreContract('embedded store', async () => openTestWorld());

queueContract('embedded queue', async () => {
  const world = await openTestWorld();
  return {
    jobs: world.jobs,
    receive: world.receive,
    advance: async (seconds) => {
      world.clock.advance(seconds * 1_000);
      await world.tick();
    },
    nowIso: world.clock.iso,
    close: world.close,
  };
});

intakeContract('embedded intake', async () => {
  const world = await openTestWorld();
  return { ...world, receivedJobs: async () => (await world.receive('received', 1_000)).map(({ body }) => body) };
});
