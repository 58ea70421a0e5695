// Fills an embedded store with mail as the stages leave it: raw messages and their JSON, all in the index of texts, as after a quiet while.
import { setTimeout as pause } from 'node:timers/promises';
import { openEmbedded } from '#local/embedded/open-embedded.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { messageKey, rawKey } from '#pipeline/contract/keys.ts';
import { sampleStoredMessage } from './stored-messages.ts';

const atOnce = 500;
/** Of what a message has as bytes; what its JSON says of that does not matter here. */
const raw = Buffer.alloc(2_500, 'raw message ');

/** Stores so many messages in a data folder, a hundred a second of the time up to now, and closes it. */
export async function fillStore(folder: string, messages: number): Promise<void> {
  const world = await openEmbedded({ folder, clock: Date.now });
  const nextId = messageIdFactory();
  const start = Date.now() - messages * 10;
  for (let n = 0; n < messages; n += atOnce) {
    await Promise.all(
      Array.from({ length: Math.min(atOnce, messages - n) }, async (_, at) => {
        const id = nextId(start + (n + at) * 10);
        const message = sampleStoredMessage(n + at, id);
        const received = { id, receivedAt: message.receivedAt };
        const key = messageKey('inbox', { ...message.mailbox, ...received });
        const body = Buffer.from(JSON.stringify(message));
        await Promise.all([
          world.store.put({ key: rawKey(received), body: raw, contentType: 'message/rfc822' }),
          world.store.put({ key, body, contentType: 'application/json' }),
        ]);
      }),
    );
  }
  while ((await world.statistics()).mailToIndex > 0) await pause(500);
  // The index is put in order step by step: it is, once nobody but this asks the database for anything.
  for (let [before, now] = [0, 2]; now - before > 1; [before, now] = [now, (await world.statistics()).operations]) {
    await pause(1_000);
  }
  await world.close();
}
