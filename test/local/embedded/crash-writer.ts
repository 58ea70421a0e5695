// A process that writes messages and jobs as fast as it can and prints each id once it is durable: to be killed.
import { openEmbedded } from '#local/embedded/open-embedded.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

const world = await openEmbedded({ folder: process.argv[2] ?? '', clock: Date.now });
const writers = 20;

async function write(n: number): Promise<never> {
  for (;;) {
    const bytes = n === 0 ? 300_000 : 1_000;
    const job = sampleReceivedJob();
    const writer = world.intake.open({ key: job.raw.key, envelope: { id: job.id } });
    await writer.write(Buffer.alloc(bytes, job.id));
    await writer.commit(job);
    process.stdout.write(`${job.id} ${job.raw.key} ${bytes}\n`);
  }
}

await Promise.all(Array.from({ length: writers }, (_, n) => write(n)));
