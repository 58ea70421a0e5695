// The envelope as the front door left it with a stored message: in the object's metadata, or beside it where it is long.
// What is usual is left out of it (see container/intake/store-message.ts), so it fits S3's 2 KB nearly always.

import { z } from 'zod';
import { messageDsnSchema, recipientDsnSchema, sessionSchema } from './jobs.ts';
import type { ObjectFacts, ObjectStore } from './ports.ts';
import { readBody } from './stored-body.ts';

const storedEnvelopeSchema = z.looseObject({
  receivedAt: z.iso.datetime({ precision: 3 }).optional(),
  /** Left out of mail that the service wrote itself. */
  session: sessionSchema.optional(),
  reversePath: z.string(),
  forwardPaths: z.array(z.string()),
  /** Left out: 7bit, as far as the sender said. */
  bodyType: z.enum(['7bit', '8bitmime', 'binarymime']).optional(),
  smtpUtf8: z.boolean().default(false),
  requireTls: z.boolean().default(false),
  dsn: messageDsnSchema.default({ ret: null, envid: null }),
  /** What was asked for single recipients, by forward-path. */
  recipientDsn: z.record(z.string(), recipientDsnSchema).default({}),
});

/** See the file's head. */
export type StoredEnvelope = Readonly<z.output<typeof storedEnvelopeSchema>>;

/** Reads the envelope of a stored message; null where there is none that can be understood. */
export async function readEnvelope(
  store: Pick<ObjectStore, 'get'>,
  { metadata }: Pick<ObjectFacts, 'metadata'>,
): Promise<StoredEnvelope | null> {
  const beside = metadata['envelope-key'];
  const text = beside === undefined ? metadata['envelope'] : await readBeside(store, beside);
  if (text === undefined || text === null) return null;
  try {
    return storedEnvelopeSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null; // not JSON
  }
}

async function readBeside(store: Pick<ObjectStore, 'get'>, key: string): Promise<string | null> {
  const object = await store.get(key);
  if (object === null) return null;
  return (await readBody(object.body)).toString('utf8');
}
