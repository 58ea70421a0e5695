// What S3 refuses and fauxqs would not: writes whose condition does not hold, links that are too old, and sub-resources it does not
// know (it would overwrite the object with them). Knows requests and answers, not where objects are kept.

/** What is needed of a request; `params` as the routes name them. */
type S3Request = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
};

/** An answer instead of doing it. */
export type Refusal = { readonly status: number; readonly xml: string };

const knownParameters = new Set([
  ...['list-type', 'prefix', 'delimiter', 'max-keys', 'start-after', 'continuation-token', 'encoding-type'],
  ...['fetch-owner', 'uploads', 'uploadId', 'partNumber', 'x-id'],
]);

/** Of a link that was signed before (SigV4 in the query); that of a checksum comes from the SDK. */
const linkParameters = new Set([
  ...['X-Amz-Algorithm', 'X-Amz-Content-Sha256', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-Signature'],
  ...['X-Amz-SignedHeaders', 'X-Amz-Security-Token', 'x-amz-checksum-mode'],
]);

/** Says whether S3 would refuse a request, given the ETag of what is there now (null: nothing); null: it may go on. */
export function refusalOf(
  { method, url, headers }: S3Request,
  etagOf: (bucket: string, key: string) => string | null,
): Refusal | null {
  const { pathname, searchParams } = new URL(url, 'http://emulator');
  if (pathname === '/' || pathname.startsWith('/_') || pathname === '/health') return null;
  const isLink = method === 'GET' && searchParams.has('X-Amz-Signature');
  if (isLink && Date.now() > linkEndsAt(searchParams)) return refuse(403, 'AccessDenied', 'Request has expired');
  for (const name of searchParams.keys()) {
    if (!knownParameters.has(name) && !(isLink && linkParameters.has(name)))
      return refuse(501, 'NotImplemented', `no sub-resource "${name}" here`);
  }
  if (!isConditionalWrite(method, searchParams)) return null;
  const [bucket = '', ...rest] = pathname.split('/').slice(1).map(decodeURIComponent);
  const now = etagOf(bucket, rest.join('/'));
  const ifMatch = headers['if-match'];
  if (headers['if-none-match'] === '*' && now !== null) return refuse(412, 'PreconditionFailed', 'it is there');
  if (ifMatch === undefined) return null;
  if (now === null) return method === 'DELETE' ? null : refuse(404, 'NoSuchKey', 'there is nothing');
  return ifMatch === '*' || ifMatch === now ? null : refuse(412, 'PreconditionFailed', 'it is another version');
}

/** `X-Amz-Date` is as `20261126T205346Z`; a link without time is too old. */
function linkEndsAt(parameters: URLSearchParams): number {
  const signedAt = (parameters.get('X-Amz-Date') ?? '').replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5');
  return (Date.parse(signedAt) || 0) + Number(parameters.get('X-Amz-Expires')) * 1_000;
}

/** A part of an upload has no condition: the completion has it. */
function isConditionalWrite(method: string, parameters: URLSearchParams): boolean {
  if (method === 'PUT') return !parameters.has('partNumber');
  return method === 'DELETE' || (method === 'POST' && parameters.has('uploadId'));
}

function refuse(status: number, code: string, message: string): Refusal {
  return { status, xml: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>` };
}
