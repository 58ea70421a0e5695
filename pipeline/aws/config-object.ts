// The configuration as an object of the bucket, and beside it a copy of the last good one: a broken edit then stops no process that
// starts after it. Each that was good is in the history, whoever overwrote it.
import { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { errorMessage, type Problem } from '#mail/problem.ts';
import type { FetchConfig, KeptVersion, LastGood } from '#pipeline/config/config-source.ts';
import { configHistoryKey, configKey, lastGoodConfigKey } from '#pipeline/contract/keys.ts';
import { httpStatusOf } from './s3-upload.ts';

type Bucket = { readonly s3: S3Client; readonly bucket: string };

/** A larger file is not read: it would take the memory and the time of those that serve mail. */
const maxConfigBytes = 4_194_304;

/** The object as it is polled: its text is fetched unless its version (ETag) is still the known one. */
export function configObject({ s3, bucket }: Bucket): { readonly where: string; readonly fetch: FetchConfig } {
  const where = `s3://${bucket}/${configKey}`;
  return {
    where,
    fetch: async (known) => {
      const input = { Bucket: bucket, Key: configKey, ...(known === null ? {} : { IfNoneMatch: known }) };
      const answer = await s3.send(new GetObjectCommand(input)).catch((thrown: unknown) => {
        if (httpStatusOf(thrown) === 304) return null;
        throw new Error(whyUnread(where, thrown), { cause: thrown });
      });
      if (answer === null) return { changed: false };
      const { ETag = '', LastModified } = answer;
      const modifiedAt = LastModified === undefined ? {} : { modifiedAt: LastModified.toISOString() };
      return { changed: true, version: ETag, ...modifiedAt, text: await textOf(where, answer) };
    },
  };
}

/** As a sentence. Who may not list the bucket is answered 403 also where there is nothing. */
function whyUnread(where: string, thrown: unknown): string {
  const status = httpStatusOf(thrown);
  if (status === 404) return `${where} is not there`;
  const what = status === 403 ? 'is not there, or may not be read' : 'cannot be read';
  return `${where} ${what}: ${errorMessage(thrown)}`;
}

/** The name under which the copy's metadata tell which version it is the text of: a key of the history. */
const historyKeyName = 'history-key';

/**
 * The copy. `keeps`: this process may write it, and does if it differs. Then the history has the version that is kept, and the
 * version that it replaces is written there once more: objects expire by their age, which counts from now.
 */
export function lastGoodConfig({ s3, bucket }: Bucket, { keeps }: { readonly keeps: boolean }): LastGood {
  const put = async (Key: string, Body: string, Metadata: Record<string, string> = {}): Promise<void> => {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ContentType: 'application/json', Metadata }));
  };
  const copied = async (): Promise<{ readonly text: string; readonly historyKey: string | null }> => {
    const { Body, Metadata } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: lastGoodConfigKey }));
    return { text: (await Body?.transformToString('utf8')) ?? '', historyKey: Metadata?.[historyKeyName] ?? null };
  };
  /** By their keys; one stays here until it is written. */
  const replaced = new Map<string, string>();
  const writeReplaced = async (): Promise<void> => {
    for (const [key, text] of replaced) {
      await put(key, text);
      replaced.delete(key);
    }
  };
  const keep = async (text: string, { version, modifiedAt }: KeptVersion): Promise<void> => {
    const historyKey = modifiedAt === null ? null : configHistoryKey({ etag: version, modifiedAt });
    const copy = await copied().catch(() => null);
    const isKept = copy !== null && copy.text === text && copy.historyKey === historyKey;
    if (copy !== null && copy.historyKey !== null && !isKept) replaced.set(copy.historyKey, copy.text);
    const written = await Promise.allSettled([
      writeReplaced(),
      isKept ? null : put(lastGoodConfigKey, text, historyKey === null ? {} : { [historyKeyName]: historyKey }),
      historyKey === null ? null : put(historyKey, text),
    ]);
    for (const one of written) if (one.status === 'rejected') throw one.reason;
  };
  const read = async (): Promise<string> => (await copied()).text;
  return keeps ? { read, keep } : { read };
}

async function textOf(
  where: string,
  { ContentLength: bytes = 0, Body }: GetObjectCommandOutput,
): Promise<string | Problem> {
  if (bytes <= maxConfigBytes) return (await Body?.transformToString('utf8')) ?? '';
  if (Body instanceof Readable) Body.destroy();
  return { problem: `${where} is ${bytes} bytes long; at most ${maxConfigBytes} are read` };
}
