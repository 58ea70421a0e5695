// What stands before the emulator as IAM stands before AWS: one door for each part of the service, which lets through what
// its role and the resource's policy allow, and answers for Secrets Manager. Every request is remembered.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse, request as send } from 'node:http';
import { type Act, fits, isAllowed, type Statement } from './permission.ts';

export type Call = Act & { readonly part: string; readonly isAllowed: boolean };

export type Gate = {
  /** Opens the door of a part with its role's statements; answers the endpoint to give it. */
  readonly open: (part: string, role: readonly Statement[]) => Promise<string>;
  readonly calls: readonly Call[];
  readonly close: () => Promise<void>;
};

export type GateOptions = {
  readonly emulator: string;
  /** The policies of bucket and queues. */
  readonly policies: readonly Statement[];
  /** What Secrets Manager holds, by name. */
  readonly secrets: ReadonlyMap<string, string>;
};

type Request = {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
};

/** Makes a gate with no door yet. */
export function createGate({ emulator, policies, secrets }: GateOptions): Gate {
  const calls: Call[] = [];
  const servers: Server[] = [];
  const mayDo = (part: string, role: readonly Statement[], act: Act): boolean => {
    const denied = policies.some((statement) => statement.Effect === 'Deny' && fits(statement, act));
    const allowed = isAllowed(role, act) && !denied;
    calls.push({ ...act, part, isAllowed: allowed });
    return allowed;
  };
  const answer = async (
    part: string,
    role: readonly Statement[],
    incoming: IncomingMessage,
    response: ServerResponse,
  ) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const { method = '', url = '', headers } = incoming;
    const request = { method, url: new URL(url, 'http://gate'), headers, body: Buffer.concat(chunks) };
    const isS3 = headers['x-amz-target'] === undefined;
    for (const act of actsOf(request))
      if (!mayDo(part, role, act)) return refuse(response, { isS3, method, action: act.action });
    if (String(headers['x-amz-target']).startsWith('secretsmanager.')) return giveSecret(response, secrets, request);
    // S3 tells only those who may list that there is nothing; to others it is forbidden.
    const mayLearnOfAbsence = () => {
      const [, bucket = '', ...key] = request.url.pathname.split('/').map(decodeURIComponent);
      const context = { 's3:prefix': key.join('/') };
      const list = { action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}`, context };
      if (isAllowed(role, list)) calls.push({ ...list, part, isAllowed: true });
      return isAllowed(role, list);
    };
    await pass(emulator, request, incoming, response, isS3 ? mayLearnOfAbsence : () => true);
  };
  return {
    calls,
    open: async (part, role) => {
      const server = createServer((incoming, response) => {
        answer(part, role, incoming, response).catch((thrown: unknown) => {
          if (!response.headersSent) response.writeHead(500);
          response.end(String(thrown));
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      servers.push(server);
      const address = server.address();
      return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    },
    close: async () => {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

/** What a request does, in the words of IAM. */
export function actsOf(request: Request): readonly Act[] {
  const target = request.headers['x-amz-target'];
  if (typeof target !== 'string') return s3Acts(request);
  const body = JSON.parse(request.body.toString('utf8'));
  const [service = '', operation = ''] = target.split('.');
  const tls = { 'aws:securetransport': 'true' };
  if (service === 'AmazonSQS') {
    const resource = `arn:aws:sqs:us-east-1:000000000000:${String(body.QueueUrl).split('/').at(-1)}`;
    return [{ action: `sqs:${operation.replace(/Batch$/, '')}`, resource, context: tls }];
  }
  if (service !== 'secretsmanager') throw new Error(`${target} is not known here`);
  const resource = `arn:aws:secretsmanager:us-east-1:000000000000:secret:${body.SecretId}-a1B2c3`;
  return [{ action: `secretsmanager:${operation}`, resource, context: tls }];
}

function s3Acts({ method, url, headers }: Request): readonly Act[] {
  const [, bucket = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
  const key = rest.join('/');
  const resource = `arn:aws:s3:::${bucket}${key === '' ? '' : `/${key}`}`;
  const has = (name: string) => url.searchParams.has(name);
  const context: Record<string, string> = { 'aws:securetransport': 'true', 's3:tlsversion': '1.3' };
  const act = (action: string, more: Record<string, string> = {}): Act => ({
    action,
    resource,
    context: { ...context, ...more },
  });
  const prefix = { 's3:prefix': url.searchParams.get('prefix') ?? '' };
  if (key === '') return [method === 'GET' ? act('s3:ListBucket', prefix) : act(`s3:${method}Bucket`)];
  // A condition on the version that is there reads it too (S3 user guide, conditional requests).
  const reads = headers['if-match'] === undefined || method === 'GET' || method === 'HEAD' ? [] : [act('s3:GetObject')];
  if (method === 'GET' || method === 'HEAD') return [act('s3:GetObject')];
  if (method === 'DELETE') return [act(has('uploadId') ? 's3:AbortMultipartUpload' : 's3:DeleteObject'), ...reads];
  const creates = method === 'PUT' ? !has('partNumber') : has('uploadId');
  const condition = headers['if-none-match'];
  const more = {
    's3:objectcreationoperation': String(creates),
    ...(typeof condition === 'string' ? { 's3:if-none-match': condition } : {}),
  };
  return [act('s3:PutObject', more), ...reads];
}

/** Within an account AWS names the action that is missing; the answer to a HEAD has no body to say it in. */
function refuse(
  response: ServerResponse,
  { isS3, method, action }: { readonly isS3: boolean; readonly method: string; readonly action: string },
): void {
  const why = `User: arn:aws:sts::000000000000:assumed-role/part is not authorized to perform: ${action} because no identity-based policy allows the ${action} action`;
  const xml = `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>${why}</Message></Error>`;
  const text = isS3
    ? method === 'HEAD'
      ? ''
      : xml
    : JSON.stringify({ __type: 'AccessDeniedException', message: why });
  response.writeHead(isS3 ? 403 : 400, { 'content-type': isS3 ? 'application/xml' : 'application/x-amz-json-1.0' });
  response.end(text);
}

function giveSecret(response: ServerResponse, secrets: ReadonlyMap<string, string>, { body }: Request): void {
  const name = JSON.parse(body.toString('utf8')).SecretId;
  const text = secrets.get(name);
  response.writeHead(text === undefined ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' });
  const missing = { __type: 'ResourceNotFoundException', message: `there is no secret ${name}` };
  response.end(JSON.stringify(text === undefined ? missing : { Name: name, SecretString: text }));
}

async function pass(
  emulator: string,
  { method, headers, body }: Request,
  incoming: IncomingMessage,
  response: ServerResponse,
  mayLearnOfAbsence: () => boolean,
): Promise<void> {
  const { 'transfer-encoding': _, expect: __, ...kept } = headers;
  const forwarded = send(new URL(incoming.url ?? '', emulator), {
    method,
    headers: { ...kept, 'content-length': String(body.length) },
  });
  response.once('close', () => forwarded.destroy());
  forwarded.end(body);
  const [answer]: IncomingMessage[] = (await once(forwarded, 'response')) as any;
  if (answer!.statusCode === 404 && !mayLearnOfAbsence()) {
    answer!.resume();
    return refuse(response, { isS3: true, method, action: 's3:ListBucket' });
  }
  response.writeHead(answer!.statusCode ?? 500, answer!.headers);
  answer!.pipe(response);
}
