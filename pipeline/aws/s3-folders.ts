// The folders below a prefix of a bucket: what stands between it and the next slash. Nothing in them is listed.
import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';

/** Lists the folders directly below a prefix that ends in a slash: whole prefixes, each ending in one, in order. */
export type ListFolders = (prefix: string) => Promise<readonly string[]>;

/** Makes it over one bucket. */
export function createS3Folders({ s3, bucket }: { readonly s3: S3Client; readonly bucket: string }): ListFolders {
  return async (prefix) => {
    const folders: string[] = [];
    let token: string | undefined;
    do {
      const input = { Bucket: bucket, Prefix: prefix, Delimiter: '/', ContinuationToken: token };
      const page = await s3.send(new ListObjectsV2Command(input));
      folders.push(...(page.CommonPrefixes ?? []).flatMap(({ Prefix }) => (Prefix === undefined ? [] : [Prefix])));
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return folders;
  };
}
