// A process that opens a data folder, stores one more message, and searches again and again until all is in the index of texts. A line for
// each look: how many messages are not in it, and how many each search finds. Told to, it kills itself when some are in it and some are not.

import { openEmbedded } from '#local/embedded/open-embedded.ts';
import { messageIdFactory, receivedAtOf } from '#mail/header/message-id.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';

const [, , folder = '', subject = '', end = '', ...searches] = process.argv;
const world = await openEmbedded({ folder, clock: Date.now });

async function count(q: string): Promise<number> {
  let [found, after]: [number, string | null] = [0, null];
  do {
    const page: Awaited<ReturnType<typeof world.admin.messages>> = await world.admin.messages({
      mailbox: null,
      q,
      limit: 500,
      after,
    });
    found += page.messages.length;
    after = page.next;
  } while (after !== null);
  return found;
}

const id = messageIdFactory()(Date.now());
const receivedAt = receivedAtOf(id);
const message = sampleMessage({ id, receivedAt, subject });
const key = messageKey('inbox', { ...message.mailbox, id, receivedAt });
await world.store.put({ key, body: Buffer.from(JSON.stringify(message)), contentType: 'application/json' });

const { mailToIndex: all } = await world.statistics();
for (let left = all; ; ) {
  const found = await Promise.all(searches.map(count));
  console.log(JSON.stringify({ left, found }));
  if (left === 0) break;
  ({ mailToIndex: left } = await world.statistics());
  if (end === 'killed' && left > 0 && left < all) process.kill(process.pid, 'SIGKILL');
}
await world.close();
