// The envelope as it is kept with a stored message: without routes, which the configuration decides anew at each replay, and
// without what is usual, so that it fits S3's 2 KB of metadata nearly always.
import { z } from 'zod';
import {
  type EnvelopeOptions,
  envelopeOptionsSchema,
  type RoutedEnvelope,
  type Session,
  sessionSchema,
} from './envelope.ts';
import { noDsn, recipientDsnSchema } from './recipient.ts';

const usualOptions = new Map(Object.entries(envelopeOptionsSchema.parse({})));

const storedSchema = z.looseObject({
  ...envelopeOptionsSchema.shape,
  receivedAt: z.iso.datetime({ precision: 3 }).nullable().default(null),
  /** Earlier versions left it out of mail that the service wrote itself. */
  session: sessionSchema.nullable().default(null),
  reversePath: z.string(),
  forwardPaths: z.array(z.string()),
  /** What was asked for single recipients, by forward-path. */
  recipientDsn: z.record(z.string(), recipientDsnSchema).default({}),
});

/** An envelope as it was read. Null: an earlier version did not keep it. */
export type StoredEnvelope = EnvelopeOptions & {
  readonly reversePath: string;
  readonly receivedAt: string | null;
  readonly session: Session | null;
  /** Each address that RCPT named, once. */
  readonly recipients: readonly Pick<RoutedEnvelope['recipients'][number], 'forwardPath' | 'dsn'>[];
};

/** The form to store, as a JSON object. `identity`: what else is to be known of the message, its id and time of receipt. */
export function storedForm({ session, reversePath, recipients, ...options }: RoutedEnvelope, identity: object): object {
  const asked = recipients.filter(({ dsn }) => dsn.notify !== null || dsn.orcpt !== null);
  const unusual = Object.entries(options).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(usualOptions.get(name)),
  );
  return {
    ...identity,
    session,
    reversePath,
    forwardPaths: [...new Set(recipients.map(({ forwardPath }) => forwardPath))],
    ...Object.fromEntries(unusual),
    ...(asked.length === 0
      ? {}
      : { recipientDsn: Object.fromEntries(asked.map(({ forwardPath, dsn }) => [forwardPath, dsn])) }),
  };
}

/** Reads the text of a stored form; null where it is none. */
export function parseStoredEnvelope(text: string): StoredEnvelope | null {
  const stored = storedSchema.safeParse(parseJson(text)).data;
  if (stored === undefined) return null;
  const { receivedAt, session, reversePath, forwardPaths, recipientDsn } = stored;
  const dsnOf = new Map(Object.entries(recipientDsn));
  const recipients = forwardPaths.map((forwardPath) => ({ forwardPath, dsn: dsnOf.get(forwardPath) ?? noDsn }));
  return { ...envelopeOptionsSchema.parse(stored), receivedAt, session, reversePath, recipients };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
