// Presigned URLs of objects: whoever has one may read the object until it expires, without an account.
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Clock, LinkTo } from '#pipeline/contract/ports.ts';
import { type AwsPlace, createS3Client } from './clients.ts';

/** An hour: a receiver that failed gets a new one with the next attempt. The credentials of a function may end sooner. */
const linkSeconds = 3_600;

export function createLinks(place: AwsPlace & { readonly bucket: string }, clock: Clock): LinkTo {
  const s3 = createS3Client(place);
  return async (key) => {
    const expiresAt = new Date(clock() + linkSeconds * 1_000).toISOString();
    const command = new GetObjectCommand({ Bucket: place.bucket, Key: key });
    return { url: await getSignedUrl(s3, command, { expiresIn: linkSeconds }), expiresAt };
  };
}
