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

/** The copy. `keeps`: this process may write it, and does if it differs; then it puts the text into the history, too. */
export function lastGoodConfig({ s3, bucket }: Bucket, { keeps }: { readonly keeps: boolean }): LastGood {
  const object = { Bucket: bucket, Key: lastGoodConfigKey };
  const read = async (): Promise<string> => {
    const { Body } = await s3.send(new GetObjectCommand(object));
    return (await Body?.transformToString('utf8')) ?? '';
  };
  const keep = async (text: string, { version, modifiedAt }: KeptVersion): Promise<void> => {
    if ((await read().catch(() => null)) === text) return;
    const content = { Bucket: bucket, Body: text, ContentType: 'application/json' };
    await s3.send(new PutObjectCommand({ ...content, Key: lastGoodConfigKey }));
    if (modifiedAt === null) return;
    const Key = configHistoryKey({ etag: version, modifiedAt });
    await s3.send(new PutObjectCommand({ ...content, Key, IfNoneMatch: '*' })).catch((thrown: unknown) => {
      if (httpStatusOf(thrown) !== 412) throw thrown; // it is there already
    });
  };
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
