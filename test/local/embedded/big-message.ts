// A process that takes 100 MB in, reads it back, and prints how much its memory grew at most.

import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { openTestWorld } from '#test/support/worlds/embedded-world.ts';

const chunkBytes = 50_000;
const world = await openTestWorld();
// When V8 first collects buffers is a matter of luck, of 32 MB more or less: that is over before anything is measured.
for (let n = 0; n < 200; n++) Buffer.alloc(chunkBytes, 1);
const before = process.memoryUsage.rss();
let highest = before;
const sample = (): void => {
  highest = Math.max(highest, process.memoryUsage.rss());
};
const job = sampleReceivedJob();
const writer = world.intake.open({ key: job.raw.key, envelope: {} });
for (let n = 0; n < 100_000_000 / chunkBytes; n++) {
  await writer.write(Buffer.alloc(chunkBytes, n % 256));
  sample();
}
await writer.commit(job);
let bytes = 0;
for await (const piece of (await world.store.get(job.raw.key))?.body ?? []) {
  bytes += piece.length;
  sample();
}
await world.close();
process.stdout.write(JSON.stringify({ grownMiB: Math.round((highest - before) / 1_048_576), bytes }));
