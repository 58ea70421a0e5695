// AWS as an operator's command line meets it: S3 and SQS of an emulator, and Secrets Manager, SES and CloudWatch Logs played here with
// AWS's own errors.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import { playedLogs, type Refusal } from './played-logs.ts';

type Secret = { value: string; description: string; token: string };

const account = '000000000000';

/** What AWS says where a policy lacks an action. */
export function denied(action: string): Refusal {
  const person = `User: arn:aws:iam::${account}:user/ann is not authorized to perform: ${action}`;
  const message = `${person} because no identity-based policy allows the ${action} action`;
  return { name: 'AccessDeniedException', status: action.startsWith('ses:') ? 403 : 400, message };
}

export const throttled = (times: number): Refusal => ({
  name: 'ThrottlingException',
  status: 400,
  message: 'Rate exceeded',
  times,
});

export type OperatorsAws = Awaited<ReturnType<typeof operatorsAws>>;

/** Starts it before an emulator. `calls`: the operations of Secrets Manager, SES and CloudWatch Logs, in order. */
export async function operatorsAws(emulator: string) {
  const secrets = new Map<string, Secret>();
  /** By name: what GetEmailIdentity answers. */
  const identities = new Map<string, object>();
  const refusals = new Map<string, Refusal>();
  const calls: string[] = [];
  /** The scope of each signature that SES got: region and service. */
  const signedFor: string[] = [];
  /** What a policy must allow: each action that was asked for, with the key of the object if there is one. */
  const asked = new Set<string>();
  /** Called before each write of the configuration reaches S3. */
  const hooks: { beforeConfigWrite: (() => Promise<void>) | null } = { beforeConfigWrite: null };
  const logs = playedLogs();
  const ses: { account: object } = { account: inSandbox };

  const refusalOf = (operation: string): Refusal | null => {
    calls.push(operation);
    const refusal = refusals.get(operation);
    if (refusal === undefined || refusal.times === 0) return null;
    if (refusal.times !== undefined) refusal.times -= 1;
    return refusal;
  };
  const secretsManager = (operation: string, input: any): object | Refusal => {
    const refused = refusalOf(operation);
    if (refused !== null) return refused;
    if (operation === 'CreateSecret') {
      const known = secrets.get(input.Name);
      const isAgain = known?.token === input.ClientRequestToken && known?.value === input.SecretString;
      if (known !== undefined && !isAgain) return exists(input.Name);
      const secret = { value: input.SecretString, description: input.Description, token: input.ClientRequestToken };
      secrets.set(input.Name, secret);
      return { Name: input.Name, ARN: arnOf(input.Name), VersionId: input.ClientRequestToken };
    }
    const found = secrets.get(input.SecretId);
    return found === undefined ? notFound : { Name: input.SecretId, SecretString: found.value };
  };
  const sesV2 = (path: string): object | Refusal => {
    const [, name] = /^\/v2\/email\/identities\/(.+)$/.exec(path) ?? [];
    const refused = refusalOf(name === undefined ? 'GetAccount' : 'GetEmailIdentity');
    if (refused !== null) return refused;
    if (name === undefined) return ses.account;
    const wanted = decodeURIComponent(name);
    return identities.get(wanted) ?? { ...noIdentity, message: `Email identity ${wanted} does not exist.` };
  };
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = incoming;
    asked.add(actionOf(incoming));
    const [, service, operation] =
      /^(secretsmanager|Logs_20140328)\.(\w+)$/.exec(String(headers['x-amz-target'] ?? '')) ?? [];
    if (operation !== undefined) {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const input = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      if (service === 'secretsmanager') return give(response, secretsManager(operation, input));
      return give(response, refusalOf(operation) ?? logs.answer(operation, input));
    }
    const [path = ''] = url.split('?');
    if (path.startsWith('/v2/email/')) {
      const [, scope = 'not signed'] =
        /Credential=[^/]+\/\d+\/([^/]+\/[^/]+)\/aws4_request/.exec(headers.authorization ?? '') ?? [];
      signedFor.push(scope);
      return give(response, sesV2(path));
    }
    const { beforeConfigWrite } = hooks;
    hooks.beforeConfigWrite = method === 'PUT' && path.endsWith('/config/pillarbox.json') ? null : beforeConfigWrite;
    if (hooks.beforeConfigWrite === null) await beforeConfigWrite?.();
    const passed = send(new URL(url, emulator), { method, headers }, (from) => {
      response.writeHead(from.statusCode ?? 500, from.headers);
      from.pipe(response);
    });
    passed.on('error', () => response.destroy());
    incoming.pipe(passed);
  };
  const server = createServer((incoming, response) => void answer(incoming, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    secrets,
    identities,
    refusals,
    calls,
    asked,
    signedFor,
    hooks,
    logs,
    ses,
    /** Forgets all it was told. */
    reset: (): void => {
      for (const known of [secrets, identities, refusals]) known.clear();
      calls.splice(0);
      asked.clear();
      signedFor.splice(0);
      hooks.beforeConfigWrite = null;
      logs.reset();
      ses.account = inSandbox;
    },
    close: (): void => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const iamNames: Readonly<Record<string, string>> = { AmazonSQS: 'sqs', Logs_20140328: 'logs' };

/** As a policy names it: `s3:GetObject config/pillarbox.json`, `sqs:GetQueueUrl`. A batch needs what one of it needs. */
function actionOf({ method, url = '', headers }: IncomingMessage): string {
  const [, service = '', operation = ''] = /^(\w+)\.(\w+)$/.exec(String(headers['x-amz-target'] ?? '')) ?? [];
  if (operation !== '') return `${iamNames[service] ?? service}:${operation.replace(/Batch$/, '')}`;
  const { pathname, searchParams } = new URL(url, 'http://aws');
  if (pathname.startsWith('/v2/email/'))
    return `ses:${pathname.includes('/identities/') ? 'GetEmailIdentity' : 'GetAccount'}`;
  if (searchParams.has('list-type')) return 's3:ListBucket';
  const key = pathname.split('/').slice(2).join('/');
  return `s3:${method === 'PUT' ? 'PutObject' : method === 'DELETE' ? 'DeleteObject' : 'GetObject'} ${key}`;
}

function give(response: ServerResponse, answer: object | Refusal): void {
  if (!isRefusal(answer)) {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answer));
    return;
  }
  const { name, status, message } = answer;
  const body = { __type: name, Message: message, message };
  response.writeHead(status, { 'x-amzn-errortype': name, 'content-type': 'application/x-amz-json-1.1' });
  response.end(JSON.stringify(body));
}

function isRefusal(answer: object): answer is Refusal {
  return 'status' in answer && typeof answer.status === 'number'; // a search of the log has one, too: a word
}

function arnOf(name: string): string {
  return `arn:aws:secretsmanager:us-east-1:${account}:secret:${name}-a1B2c3`;
}

function exists(name: string): Refusal {
  const message = `The operation failed because the secret ${name} already exists.`;
  return { name: 'ResourceExistsException', status: 400, message };
}

const notFound: Refusal = {
  name: 'ResourceNotFoundException',
  status: 400,
  message: "Secrets Manager can't find the specified secret.",
};
const noIdentity = { name: 'NotFoundException', status: 404 };

/** A new account. */
export const inSandbox = {
  EnforcementStatus: 'HEALTHY',
  ProductionAccessEnabled: false,
  SendingEnabled: true,
  SendQuota: { Max24HourSend: 200, MaxSendRate: 1, SentLast24Hours: 0 },
};

/** One that may send to anybody. */
export const inProduction = {
  ...inSandbox,
  ProductionAccessEnabled: true,
  SendQuota: { Max24HourSend: 50_000, MaxSendRate: 14, SentLast24Hours: 12 },
};
