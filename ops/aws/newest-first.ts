// Keys newest first, from a store that lists oldest first only: the days backwards, and a day that does not fit into one
// page of the list in halves, the later half first. Ids sort by time and stand right behind the day.
import { type MessageId, messageIdTime } from '#mail/header/message-id.ts';
import type { ListFolders } from '#pipeline/aws/s3-store.ts';
import { dayOfFolder, earliestKey } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';

export type TreeReader = { readonly list: ObjectStore['list']; readonly folders: ListFolders };

/** `prefix`: what stands before `yyyy/mm/dd/`. `upTo`: only ids up to this one. */
export type Tree = { readonly prefix: string; readonly upTo: MessageId | null };

const dayMs = 86_400_000;

/** Lazily: what the caller does not read is not listed. */
export async function* newestKeys(reader: TreeReader, { prefix, upTo }: Tree): AsyncGenerator<string> {
  const endMs = upTo === null ? Number.POSITIVE_INFINITY : messageIdTime(upTo) + 1;
  for await (const dayPrefix of newestFolders(reader, prefix, 3)) {
    const fromMs = dayOfFolder(prefix, dayPrefix);
    if (fromMs === null || fromMs >= endMs) continue;
    const keyAt = (ms: number): string => earliestKey(prefix, ms);
    yield* newestWithin({ reader, prefix: dayPrefix, keyAt }, fromMs, Math.min(endMs, fromMs + dayMs));
  }
}

/** The folders so many levels below, last first. */
async function* newestFolders(reader: TreeReader, prefix: string, levels: number): AsyncGenerator<string> {
  if (levels === 0) {
    yield prefix;
    return;
  }
  for (const folder of (await reader.folders(prefix)).toReversed()) yield* newestFolders(reader, folder, levels - 1);
}

type Day = {
  readonly reader: TreeReader;
  readonly prefix: string;
  /** What keys of this time or later sort behind. */
  readonly keyAt: (ms: number) => string;
};

async function* newestWithin(day: Day, fromMs: number, toMs: number): AsyncGenerator<string> {
  const { reader, prefix, keyAt } = day;
  const end = keyAt(toMs);
  const keys: string[] = [];
  let after: string | null = keyAt(fromMs);
  do {
    const page: Awaited<ReturnType<ObjectStore['list']>> = await reader.list({ prefix, after });
    const within = page.objects.map(({ key }) => key).filter((key) => key < end);
    keys.push(...within);
    after = within.length === page.objects.length ? page.next : null;
    if (after !== null && toMs - fromMs > 1) {
      const middleMs = Math.floor((fromMs + toMs) / 2);
      yield* newestWithin(day, middleMs, toMs);
      yield* newestWithin(day, fromMs, middleMs);
      return;
    }
  } while (after !== null);
  yield* keys.toReversed();
}
