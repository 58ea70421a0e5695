// What is kept with the bytes of a message that is a copy of another, sent on by a person: in the metadata of its `raw/` object.
/** `of`: the id of the message that was released. `by`: who asked. */
export type ReleasedCopy = { readonly of: string; readonly by: string };

const [ofName, byName] = ['released-from', 'released-by'];

export function releaseMetadata({ of, by }: ReleasedCopy): Readonly<Record<string, string>> {
  return { [ofName]: of, [byName]: by.replace(/[^ -~]/g, '?').slice(0, 60) };
}

/** Null if the message is no such copy. */
export function readRelease(metadata: Readonly<Record<string, string>>): ReleasedCopy | null {
  const of = metadata[ofName];
  return of === undefined ? null : { of, by: metadata[byName] ?? '' };
}
