// The envelope as the listener left it with a stored message: in the object's metadata, or beside it if it is long.
import { parseStoredEnvelope, type StoredEnvelope } from '#mail/envelope/stored-envelope.ts';
import { envelopeKey } from './keys.ts';
import type { ObjectFacts, ObjectStore } from './ports.ts';
import { readBody } from './stored-body.ts';

/** What of S3's 2 KB of metadata an envelope may take; both worlds do the same. */
const maxMetadataBytes = 1_900;

/**
 * Where an envelope goes that is to be stored with the message of that key: into its metadata, or as JSON text into an object
 * beside it. `envelope`: a JSON object (mail/envelope/stored-envelope.ts). All in ASCII.
 */
export function placeEnvelope(
  key: string,
  envelope: object,
): {
  readonly metadata: Readonly<Record<string, string>>;
  readonly beside: { readonly key: string; readonly text: string } | null;
} {
  const text = JSON.stringify(envelope).replace(
    /[\u007F-\uFFFF]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  if (text.length <= maxMetadataBytes) return { metadata: { envelope: text }, beside: null };
  return { metadata: { 'envelope-key': envelopeKey(key) }, beside: { key: envelopeKey(key), text } };
}

/** Reads the envelope of a stored message; null if there is none that can be understood. */
export async function readEnvelope(
  store: Pick<ObjectStore, 'get'>,
  { metadata }: Pick<ObjectFacts, 'metadata'>,
): Promise<StoredEnvelope | null> {
  const beside = metadata['envelope-key'];
  const text = beside === undefined ? metadata['envelope'] : await readBeside(store, beside);
  return text === undefined || text === null ? null : parseStoredEnvelope(text);
}

async function readBeside(store: Pick<ObjectStore, 'get'>, key: string): Promise<string | null> {
  const object = await store.get(key);
  if (object === null) return null;
  return (await readBody(object.body)).toString('utf8');
}
