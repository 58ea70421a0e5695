// One delivery in a process that cannot open a connection: run by own-connect-fault.test.ts, which takes files or network away.
import { closeSync, openSync } from 'node:fs';
import { deliver } from '#functions/deliver/deliver.ts';
import { deliveryWorld } from '#test/functions/deliver/delivery-world.ts';
import { startMx } from '#test/support/peers/scripted-mx.ts';

const [, , missing] = process.argv;
const hasNetwork = missing !== 'network';
const mx = hasNetwork ? await startMx() : null;
const world = deliveryWorld({ ...(mx === null ? {} : { port: mx.port }) });
const job = world.job();
await world.deps.config.current();
const files: number[] = [];
for (let isFull = !hasNetwork; !isFull; ) {
  try {
    files.push(openSync('/dev/null', 'r'));
  } catch {
    isFull = true;
  }
}
const thrown = await deliver(world.deps, job, { receiveCount: 1 }).then(
  (outcome) => ({ fault: null, message: JSON.stringify(outcome) }),
  (error) => ({ fault: error.fault, message: error.message }),
);
for (const file of files) closeSync(file);
const state = world.state(job);
const backedOff = [...world.deps.memory.backOffs.values()].filter(({ record }) => record !== null);
const after = hasNetwork ? (await deliver(world.deps, job, { receiveCount: 1, faults: 1 })).outcome : null;
process.stdout.write(`${JSON.stringify({ thrown, state, backedOff, after })}\n`, () => process.exit(0));
