// The envelope that the listener stores with a message: in the object's metadata, or beside it if it is long.
import { parseStoredEnvelope, type StoredEnvelope } from '#mail/envelope/stored-envelope.ts';
import { envelopeKey } from './keys.ts';
import type { ObjectFacts, ObjectStore } from './ports.ts';
import { readBody } from './stored-body.ts';

/** Of S3's 2 KB; both worlds do the same. */
const maxMetadataBytes = 1_900;

/** Where an envelope (mail/envelope/stored-envelope.ts) goes: into metadata, or into an object beside it; as ASCII JSON. */
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

/** Null if there is no envelope that can be understood. */
export async function readEnvelope(
  store: Pick<ObjectStore, 'get'>,
  { metadata }: Pick<ObjectFacts, 'metadata'>,
): Promise<StoredEnvelope | null> {
  const beside = metadata['envelope-key'];
  const object = beside === undefined ? null : await store.get(beside);
  const text = object === null ? metadata['envelope'] : (await readBody(object.body)).toString('utf8');
  return text === undefined ? null : parseStoredEnvelope(text);
}
